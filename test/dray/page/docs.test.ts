import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Browser } from 'playwright-core'
import { startDray } from '#test/cli/dray-process.ts'
import { goTo, isSkipped, openPage, startBrowser } from './browser.ts'
import { openShop } from './shop.ts'

describe('dray docs', { skip: isSkipped }, () => {
  let shop: ReturnType<typeof openShop>
  let browser: Browser

  before(async () => {
    shop = openShop()
    browser = await startBrowser()
  })
  after(async () => {
    await browser?.close()
    shop?.remove()
  })

  test('writes pages of tables, columns, lineage, checks and owners that open from a disk', async () => {
    const { code, stdout } = await startDray(shop.home, ['docs', 'written', '--title', 'The <shop>'], {}, shop.folder)
      .ended
    assert.equal(code, 0)
    assert.match(stdout, /2 tables and 2 pipelines and tasks are described in .*written\/index\.html/)

    const { page, complaints, close } = await openPage(
      browser,
      pathToFileURL(join(shop.folder, 'written/index.html')).href,
    )
    await page.getByRole('link', { name: 'The <shop>' }).waitFor()
    await page.getByRole('link', { name: 'lake.orders' }).click()
    await page.getByRole('row', { name: /^id key id bigint no/ }).waitFor()
    await page.getByText('unique(id)').waitFor()
    await page.getByRole('region', { name: 'Written by' }).getByRole('link', { name: 'orders', exact: true }).click()
    await page.getByText('shop team <shop@example.org>').waitFor()
    await goTo(page, 'workflows')
    await page.getByRole('link', { name: 'till.orders table' }).waitFor()

    assert.deepEqual(complaints, [])
    await close()
  })
})
