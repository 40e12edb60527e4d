import assert from 'node:assert/strict'
import { globSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import type { Browser, Page } from 'playwright-core'
import { startDray } from '#test/cli/dray-process.ts'
import { goTo, isSkipped, openPage, type ServedDev, startBrowser, startDev } from './browser.ts'
import { openShop, pipelineText } from './shop.ts'

/** What a page waits for at most, in ms: the compiler reads the whole framework. */
const PATIENCE_MS = 60_000

const PIPELINE = 'functions/orders/pipeline.ts'
const MODEL = 'shared/models/lake.ts'

const modelText = (more = '') => `import { bigint, database, text } from 'dray'
export class Target extends database('lake').table('orders', {
  id: bigint().primaryKey(),
  name: text().nullable(),${more}
}) {}
`

describe('what fails after a save', { skip: isSkipped }, () => {
  let shop: ReturnType<typeof openShop>
  let dev: ServedDev
  let browser: Browser
  let page: Page

  const save = (file: string, text: string) => writeFileSync(join(shop.folder, file), text)
  const good = pipelineText({ accepts: true })
  const saved = () => page.getByRole('article', { name: 'orders as it was saved' })
  const types = () => page.getByRole('region', { name: 'Faults of types' })

  before(async () => {
    shop = openShop()
    save(PIPELINE, good)
    save(MODEL, modelText())
    const base = join(packageFolder, '../../shared/dray/tsconfig.json')
    // What accepts all rows uses less than it is given.
    const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false }
    save('tsconfig.json', JSON.stringify({ extends: base, compilerOptions, include: ['functions', 'shared/models'] }))
    const { code, stderr } = await startDray(shop.home, ['run', 'orders'], {}, shop.folder).ended
    assert.equal(code, 0, stderr)
    ;[dev, browser] = await Promise.all([startDev(shop), startBrowser()])
    ;({ page } = await openPage(browser, dev.url))
    page.setDefaultTimeout(PATIENCE_MS)
    await goTo(page, 'pipelines/orders')
    await page.getByText('seen to read id, name').waitFor()
    await goTo(page, 'loop')
    await page.getByRole('region', { name: 'Saved' }).waitFor()
  })
  after(async () => {
    await browser?.close()
    await dev?.stop()
    shop?.remove()
  })

  test('a transform that is saved has its new preview beside the old one', async (t) => {
    const start = performance.now()
    save(PIPELINE, pipelineText({ accepts: true, upper: true }))
    await saved().locator('.changed').getByText('BAD').first().waitFor()
    t.diagnostic(`seen ${Math.round(performance.now() - start)} ms after the save`)

    assert.match((await saved().textContent()) ?? '', /shown after \d+\.\d\d s/)
  })

  test('a fault of types is there with file, line and sentence, until it is mended', async () => {
    save(PIPELINE, good.replace('({ id, name }),', '({ id: 1, name }),'))
    await types()
      .getByText(/functions\/orders\/pipeline\.ts\(11,\d+\): error TS2322: .*'number' is not assignable/)
      .waitFor()

    save(PIPELINE, good)

    await types().waitFor({ state: 'detached' })
    await page.getByText('0 type faults').waitFor()
  })

  test('a fault of syntax is there with file, line and sentence, until it is mended', async () => {
    save(PIPELINE, good.replace('extract: fullLoad', 'extract fullLoad'))
    const fault = saved().getByRole('alert')
    await fault.getByText(/functions\/orders\/pipeline\.ts:8: /).waitFor()
    await goTo(page, '')
    await page
      .getByRole('alert')
      .getByText(/functions\/orders\/pipeline\.ts:8: /)
      .waitFor()
    await goTo(page, 'loop')

    save(PIPELINE, good)

    await fault.waitFor({ state: 'detached' })
    await types().waitFor({ state: 'detached' })
  })

  test('a name that is not exported is there with its file, until it is mended', async () => {
    save(PIPELINE, good.replace('unique, upsert', 'unique, upsrt as upsert'))
    const fault = saved().getByRole('alert')
    await fault.getByText(/functions\/orders\/pipeline\.ts:1: .*upsrt/).waitFor()

    save(PIPELINE, good)

    await fault.waitFor({ state: 'detached' })
  })

  test('a model whose column the table has not is there in a sentence, until it is mended', async () => {
    const told = saved().locator('.notes li', { has: page.locator('.status') })
    save(MODEL, modelText('\n  place: text().nullable(),'))
    await told.getByText(/place/).first().waitFor()

    save(MODEL, modelText())

    await told.first().waitFor({ state: 'detached' })
  })

  test('no compiler of a save before is at work, and none when the page has gone', {
    skip: process.platform !== 'linux' && 'processes are read from /proc',
  }, async () => {
    for (const more of ['// 1', '// 2', '// 3']) {
      save(PIPELINE, `${good}${more}\n`)
      await delay(500)
    }
    assert.ok(compilersIn(shop.folder).length <= 1, compilersIn(shop.folder).join())

    await dev.stop()

    for (let left = 20; left > 0 && compilersIn(shop.folder).length > 0; left--) await delay(100)
    assert.deepEqual(compilersIn(shop.folder), [])
  })
})

/** The processes of the compiler that work in a folder. */
function compilersIn(folder: string): string[] {
  return globSync('/proc/[0-9]*').filter((process) => {
    try {
      return readlinkSync(`${process}/cwd`) === folder && readFileSync(`${process}/cmdline`, 'utf8').includes('tsc')
    } catch {
      return false
    }
  })
}
