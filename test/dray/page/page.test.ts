import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { goTo, isSkipped, openPage, type ServedDev, startBrowser, startDev } from './browser.ts'
import { MARKUP, openShop, pipelineText } from './shop.ts'

/** What a page waits for at most, in ms: a run is another process, which two others may hold up. */
const PATIENCE_MS = 30_000

describe('the page', { skip: isSkipped }, () => {
  let shop: ReturnType<typeof openShop>
  let dev: ServedDev
  let browser: Browser
  let page: Page
  let complaints: readonly string[]

  before(async () => {
    shop = openShop()
    ;[dev, browser] = await Promise.all([startDev(shop), startBrowser()])
    ;({ page, complaints } = await openPage(browser, dev.url))
    page.setDefaultTimeout(PATIENCE_MS)
  })
  after(async () => {
    await browser?.close()
    await dev?.stop()
    shop?.remove()
  })

  const see = (text: string | RegExp) => page.getByText(text).first().waitFor()

  test('says what to do where nothing has run yet', async () => {
    await see('Nothing has run yet.')
    await see('npx dray run')
    assert.doesNotMatch(page.url(), /token/)
  })

  test('shows the graph of a workflow, its schedule, its next five starts and the events that start it', async () => {
    const card = page.getByRole('article', { name: 'nightly' })

    await card.getByRole('link', { name: 'orders pipeline' }).waitFor()
    await card.getByRole('link', { name: 'mart task' }).waitFor()
    assert.equal(await card.locator('.starts time').count(), 5)
    assert.match((await card.textContent()) ?? '', /0 2 \* \* \* \(Europe\/Helsinki\).*EntityUpdated from till/)
  })

  test('shows tables between the steps on demand', async () => {
    const card = page.getByRole('article', { name: 'nightly' })

    await card.getByLabel('tables').check()

    await card.getByRole('link', { name: 'till.orders table' }).waitFor()
    await card.getByRole('link', { name: 'lake.orders table' }).waitFor()
  })

  test('starts a run by a button and shows it live to its end', async () => {
    await page.getByRole('article', { name: 'nightly' }).getByRole('button', { name: 'Run' }).click()

    await page.locator('.summary .status.running').waitFor()
    await page.locator('.summary .status.failed').waitFor()
  })

  test('has a failing run understood in two clicks: where, why, its log, the first bad rows, and how to go on', async () => {
    await goTo(page, '')
    await page
      .getByRole('article', { name: 'nightly' })
      .getByRole('link', { name: /failed 2/ })
      .click()

    const failure = page.getByRole('article', { name: 'orders failed' })
    await failure.getByText(/in commit/).waitFor()
    await failure
      .getByText(/30 of 60 rows|quarantine/)
      .first()
      .waitFor()
    await failure.locator('pre').getByText('failed').first().waitFor()
    await failure.locator('.kept-rows').getByText('bad_name').first().waitFor()
    await page
      .getByRole('region', { name: 'What failed' })
      .getByText(/npx dray resume/)
      .waitFor()
  })

  test('shows markup and text that turns its direction as text', async () => {
    const rows = page.locator('.kept-rows')

    await rows.getByText(MARKUP).first().waitFor()
    await rows.getByText('a\\u202ecb').first().waitFor()
    assert.equal(await page.locator('main img').count(), 0)
    assert.notEqual(await page.title(), '1')
  })

  test('shows the partitions of a step in time, and the log of one that is chosen', async () => {
    const lines = page.getByRole('region', { name: 'Steps and partitions in time' })
    await lines.getByRole('button', { name: /^partition 6, success, extract.*transform.*load/ }).click()

    await page.getByRole('region', { name: 'Log of orders, partition 6' }).getByText('load 6: succeeded').waitFor()
  })

  test('runs anew with the files as they are saved', async () => {
    writeFileSync(join(shop.folder, 'functions/orders/pipeline.ts'), pipelineText({ accepts: true }))
    writeFileSync(join(shop.folder, 'broken'), '')

    await page
      .getByRole('region', { name: 'What failed' })
      .getByRole('button', { name: 'Run anew', exact: true })
      .click()

    await page.getByRole('article', { name: 'mart failed' }).getByText('the mart is under repair').first().waitFor()
    await page.getByRole('row', { name: /^orders success 60/ }).waitFor()
  })

  test('resumes what is left once the cause is mended', async () => {
    rmSync(join(shop.folder, 'broken'))

    await page.getByRole('region', { name: 'What failed' }).getByRole('button', { name: 'Resume', exact: true }).click()

    await page.locator('.summary .status.success').waitFor()
    assert.match((await page.locator('.summary').textContent()) ?? '', /resume/)
  })

  test('shows a run beside another one', async () => {
    await page.getByRole('link', { name: 'Compare with another run' }).click()

    const table = page.getByRole('region', { name: 'Two runs beside each other' })
    await table.getByText('success').first().waitFor()
    await table.getByText('failed').first().waitFor()
  })

  test('finds runs by words', async () => {
    await goTo(page, 'runs')
    await page.getByRole('searchbox').fill('nightly failed')

    await page.getByText('2 of 3 runs').waitFor()
  })

  test('lets the browser complain of nothing, least of all of its policy', () => {
    assert.deepEqual(complaints, [])
  })
})
