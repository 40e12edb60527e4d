import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { type ReplicaProject, replicaProject } from '#test/cli/replica-project.ts'
import { goTo, isSkipped, openPage, type ServedDev, startBrowser, startDev } from './browser.ts'

describe('the tables of a replica', { skip: isSkipped }, () => {
  let project: ReplicaProject
  let dev: ServedDev
  let browser: Browser
  let page: Page

  before(async () => {
    project = await replicaProject()
    await project.run('run', 'shop-raw')
    const { folder } = project
    const urls = {
      SHOP_DATABASE_URL: `sqlite:${join(folder, 'shop.db')}`,
      LAKE_DATABASE_URL: `sqlite:${join(folder, 'lake.db')}`,
    }
    ;[dev, browser] = await Promise.all([
      startDev({ folder, home: join(folder, '.dray'), variables: urls }),
      startBrowser(),
    ])
    ;({ page } = await openPage(browser, dev.url))
  })
  after(async () => {
    await browser?.close()
    await dev?.stop()
    await project?.remove()
  })

  test('stand among the pipelines, below their replica, with last_run and lag', async () => {
    await goTo(page, 'pipelines')
    await page.getByRole('row', { name: /^shop-raw shop\.\* lake\.\*/ }).waitFor()

    await page.getByRole('row', { name: /^shop-raw\/orders shop\.orders lake\.raw_orders \d{4}-\d\d-\d\d / }).waitFor()
    assert.equal(await page.getByRole('row', { name: /^shop-raw\/settings/ }).count(), 0)
  })

  test('have each a page with its history, its preview and whether its copy fits', async () => {
    await page.getByRole('link', { name: 'shop-raw/orders' }).click()

    await page.getByRole('heading', { name: 'shop-raw/orders' }).waitFor()
    await page.getByText('A table of the replica shop-raw.').waitFor()
    await page.getByText(/One run so far: .*2 rows read/).waitFor()
    await page.getByRole('region', { name: 'Tables and models' }).getByText('The tables fit the models.').waitFor()
    await page.getByRole('region', { name: 'Rows of the preview' }).waitFor()
    assert.equal(await page.getByRole('alert').count(), 0)
  })

  test('stand in the catalogue with the columns that their last run found, and whence they come', async () => {
    await goTo(page, 'catalogue')
    await page.getByRole('row', { name: /^shop\.orders – 3 – shop-raw\/orders/ }).waitFor()
    await page.getByRole('link', { name: 'lake.raw_orders' }).click()

    await seesColumns(page)
  })

  test('are not called known before they have run: the commands that help stand there', async () => {
    await goTo(page, 'catalogue')
    const told = page.getByRole('region', { name: 'Tables of replicas' })
    await told.getByText('npx dray plan shop-raw').waitFor()

    assert.match(
      (await told.textContent()) ?? '',
      /shop-raw copies shop\.\* into lake\.\*\. 4 tables as.*Of shop-raw\/wide no plan/,
    )
    await goTo(page, 'catalogue/lake.raw_wide')
    await page.getByText('Nothing is known of it yet').waitFor()
    await goTo(page, 'catalogue/shop.*')
    await page.getByRole('link', { name: 'shop.genres' }).waitFor()
  })

  test('stand in what dray docs writes, too', async () => {
    const { code, document } = await project.json('docs', 'written')
    const { page: written, complaints, close } = await openPage(browser, pathToFileURL(document.file).href)
    await written.getByRole('link', { name: 'lake.raw_orders' }).click()

    await seesColumns(written)
    assert.deepEqual([code, complaints], [0, []])
    await close()
  })
})

async function seesColumns(page: Page): Promise<void> {
  const columns = page.getByRole('region', { name: 'Columns of lake.raw_orders' })
  await columns.getByRole('row', { name: /^id key integer no/ }).waitFor()
  await columns.getByRole('row', { name: /^updated_at timestamp yes/ }).waitFor()
  const written = page.getByRole('region', { name: 'Written by' })
  await written.getByRole('link', { name: 'shop-raw/orders' }).waitFor()
  await written.getByRole('link', { name: 'shop.orders' }).waitFor()
  await page.getByRole('region', { name: 'Checks' }).getByText('rowCount').waitFor()
}
