import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { goTo, isSkipped, openPage, type ServedDev, startBrowser, startDev } from './browser.ts'
import { MARKUP, openShop, pipelineText } from './shop.ts'

/** What a page waits for at most, in ms: a run is another process, which two others may hold up. */
const PATIENCE_MS = 40_000

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

  test('finds quarantined rows by words and by reasons, and says what a replay would do', async () => {
    writeFileSync(join(shop.folder, 'functions/orders/pipeline.ts'), pipelineText({ accepts: true }))
    await goTo(page, 'quarantine')
    await page.getByRole('button', { name: 'name bad_name 30' }).click()
    await page.getByRole('searchbox').fill('bad_name 29')
    await page.getByText('1 row', { exact: true }).waitFor()
    const row = page.locator('.kept-rows .card')

    await row.getByRole('button', { name: 'What a replay would do' }).click()

    await row.getByText('It would be loaded. Its key is new to the target.').waitFor()
  })

  test('replays a row, after it was asked', async () => {
    const row = page.locator('.kept-rows .card')
    await row.getByRole('button', { name: 'Replay', exact: true }).click()
    await row.getByText('Send this row through').waitFor()
    await row.getByRole('button', { name: 'Replay', exact: true }).click()

    await page.locator('.summary .status.success').waitFor()
    await page.getByRole('row', { name: /^orders success 1 / }).waitFor()
  })

  test('shows the row of the target beside the one that would be loaded, the differences marked', async () => {
    writeFileSync(join(shop.folder, 'functions/orders/pipeline.ts'), pipelineText({ accepts: true, upper: true }))
    await goTo(page, 'quarantine')
    await page.getByLabel('closed rows, too').check()
    await page.getByRole('searchbox').fill('bad_name 29')
    await page.getByText('1 row', { exact: true }).waitFor()
    const row = page.locator('.kept-rows .card')

    await row.getByRole('button', { name: 'What a replay would do' }).click()

    await row.getByRole('row', { name: /^name bad .*BAD .* differs$/ }).waitFor()
    await row.getByRole('row', { name: /^id key 29 29$/ }).waitFor()
  })

  test('discards a row, after it was asked, and counts it no more', async () => {
    await goTo(page, 'quarantine/orders')
    await page.getByText('29 rows', { exact: true }).waitFor()
    const row = page.locator('.kept-rows .card').first()
    await row.getByRole('button', { name: 'Discard', exact: true }).click()
    await row.getByRole('button', { name: 'Discard', exact: true }).click()

    await page.getByText('28 rows', { exact: true }).waitFor()
  })

  test('runs anew with the files as they are saved', async () => {
    writeFileSync(join(shop.folder, 'functions/orders/pipeline.ts'), pipelineText({ accepts: true }))
    writeFileSync(join(shop.folder, 'broken'), '')
    await goTo(page, '')
    const failed = page.locator('tbody tr', { has: page.locator('.status.failed') })
    await failed.getByRole('link').click()

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

    await page.getByText('2 of 4 runs').waitFor()
  })

  test('shows of a pipeline where it reads and writes, checks, owner, history, and what its transform was seen to read', async () => {
    await goTo(page, 'pipelines')
    await page
      .getByRole('row', { name: /^orders till.orders lake.orders/ })
      .getByRole('link')
      .click()

    await see('shop team <shop@example.org>')
    await see('Orders of the till.')
    await see('unique(id)')
    await page.getByRole('img', { name: /^rows read of \d runs, the latest/ }).waitFor()
    await see('seen to read id, name and to write id, name')
  })

  test('shows a saved transform beside what it was before, and what the compiler says', async () => {
    await goTo(page, 'loop')
    writeFileSync(join(shop.folder, 'functions/orders/pipeline.ts'), pipelineText({ accepts: true, upper: true }))

    const saved = page.getByRole('article', { name: 'orders as it was saved' })
    const changed = saved.locator('.row-values .changed')
    await changed.getByText('BAD').first().waitFor()
    await saved.getByText('bad').first().waitFor()

    writeFileSync(join(shop.folder, 'functions/orders/pipeline.ts'), 'export const orders = 1\n')
    await saved.getByRole('alert').waitFor()
    writeFileSync(join(shop.folder, 'functions/orders/pipeline.ts'), pipelineText({ accepts: true, upper: true }))
    await saved.getByRole('alert').waitFor({ state: 'detached' })
  })

  test('takes an event as one sends it to the bus, and the same one once', async () => {
    await goTo(page, 'loop')
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByText('nightly started').waitFor()
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByText('nightly has been seen before').waitFor()

    const started = page.getByRole('region', { name: 'Started by this page' }).getByRole('listitem').first()
    await started.getByRole('link').click()

    await page.locator('.summary .status.success').waitFor()
    assert.match((await page.locator('.summary').textContent()) ?? '', /event:EntityUpdated/)
  })

  test('refuses an event that is none, or that starts nothing, in words', async () => {
    const send = async (document: object) => {
      const headers = { authorization: `Bearer ${dev.token}` }
      const answer = await fetch(`${dev.origin}/events`, { method: 'POST', headers, body: JSON.stringify(document) })
      return { status: answer.status, ...((await answer.json()) as { readonly error: string }) }
    }

    assert.match((await send({})).error, /no event of a bus/)
    assert.match((await send({ Source: 'x', DetailType: 'y', Detail: {} })).error, /No workflow starts on y from x/)
    assert.match((await send({ Source: 'till', DetailType: 'EntityUpdated', Detail: {} })).error, /docs\/events.md/)
  })

  test('has schedules switched off until somebody switches them on', async () => {
    await goTo(page, 'loop')
    const schedules = page.getByRole('region', { name: 'Schedules' })
    await schedules.getByText('off').first().waitFor()

    await schedules.getByRole('checkbox').check()

    await schedules.getByText('off').first().waitFor({ state: 'detached' })
    await schedules.getByRole('checkbox').uncheck()
  })

  test('has a catalogue of tables, columns, comments and lineage', async () => {
    await goTo(page, 'catalogue')
    await page.getByRole('link', { name: 'lake.orders' }).click()

    await page.getByRole('region', { name: 'Written by' }).getByRole('link', { name: 'till.orders' }).waitFor()
    await page.getByRole('row', { name: /^id key id bigint no/ }).waitFor()
  })

  test('lets the browser complain of nothing, least of all of its policy', () => {
    assert.deepEqual(complaints, [])
  })
})
