import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after, before, describe, test } from 'node:test'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { goTo, isSkipped, openPage, type ServedDev, startBrowser, startDev } from './browser.ts'
import { LARGE_RUN, writeRuns } from './many-runs.ts'
import { openShop } from './shop.ts'

const RUNS = 5_000
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } as const
const MOST_BYTES = 200_000

interface Violation {
  readonly id: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

describe('the page, with 5,000 runs', { skip: isSkipped }, () => {
  let shop: ReturnType<typeof openShop>
  let dev: ServedDev
  let browser: Browser
  let axe: string

  before(async () => {
    shop = openShop()
    await writeRuns(shop.home, RUNS)
    ;[dev, browser] = await Promise.all([startDev(shop), startBrowser()])
    axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  })
  after(async () => {
    await browser?.close()
    await dev?.stop()
    shop?.remove()
  })

  const pages: Readonly<Record<string, (page: Page) => Promise<void>>> = {
    '': (page) => page.getByRole('row', { name: /run-large/ }).waitFor(),
    runs: (page) => page.locator('.run-line').first().waitFor(),
    'runs/run-04957': (page) => page.getByRole('heading', { name: 'orders failed' }).first().waitFor(),
    [`runs/${LARGE_RUN}`]: (page) => page.getByRole('button', { name: '500 partitions of orders' }).waitFor(),
    pipelines: (page) => page.getByRole('row', { name: /^orders/ }).waitFor(),
    'pipelines/orders': (page) => page.getByRole('img', { name: /^duration/ }).waitFor(),
    quarantine: (page) => page.getByText('No row is open here.').waitFor(),
    loop: (page) => page.getByRole('button', { name: 'Send' }).waitFor(),
    catalogue: (page) => page.getByRole('link', { name: 'lake.orders' }).waitFor(),
    'catalogue/lake.orders': (page) => page.getByRole('heading', { name: 'lake.orders' }).waitFor(),
    [`runs/${LARGE_RUN}/compare`]: (page) => page.getByRole('region', { name: 'Two runs beside each other' }).waitFor(),
  }

  async function violations(page: Page): Promise<readonly Violation[]> {
    // What runs in the page by its own policy could not.
    await page.evaluate(axe)
    const { violations: found } = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
      readonly violations: readonly Violation[]
    }
    return found.map(({ id, nodes }) => ({
      id,
      nodes: nodes.map(({ html, failureSummary = '' }) => ({ html, failureSummary })),
    }))
  }

  // A colour is the same on each device, and a width in each scheme.
  const devices: Readonly<Record<string, BrowserContextOptions>> = {
    'light, desk': { colorScheme: 'light' },
    'dark, phone': { colorScheme: 'dark', ...PHONE },
  }
  for (const [device, options] of Object.entries(devices)) {
    test(`has no fault that axe finds, and no page that is moved sideways: ${device}`, async () => {
      const { page, complaints, close } = await openPage(browser, dev.url, options)
      for (const [path, isThere] of Object.entries(pages)) {
        await goTo(page, path)
        await isThere(page)

        assert.deepEqual(await violations(page), [], path)
        const width = (await page.evaluate('document.documentElement.scrollWidth - innerWidth')) as number
        assert.ok(width <= 0, `${path} is ${width} px too wide`)
        const hidden =
          "Math.max(...[...document.querySelectorAll('nav a')].map((a) => a.getBoundingClientRect().right)) - innerWidth"
        assert.ok(((await page.evaluate(hidden)) as number) <= 0, `with ${path} a name of a page is not seen`)
      }
      assert.deepEqual(complaints, [])
      await close()
    })
  }

  test('is sent in less than 200 kB', async (t) => {
    const { page, close } = await openPage(browser, 'about:blank')
    const client = await page.context().newCDPSession(page)
    await client.send('Network.enable')
    let bytes = 0
    client.on('Network.loadingFinished', ({ encodedDataLength }) => {
      bytes += encodedDataLength
    })
    await page.goto(dev.url)
    await pages['']?.(page)
    const paint = await page.evaluate("performance.getEntriesByType('paint').map(({ startTime }) => startTime)[0]")
    t.diagnostic(`first paint after ${Math.round(paint as number)} ms, ${bytes} bytes over the wire`)
    await close()

    assert.ok(bytes > 10_000 && bytes < MOST_BYTES, `${bytes} bytes`)
  })

  test('draws of thousands of runs those that are seen, and finds each of them', async () => {
    const { page, close } = await openPage(browser, dev.url)
    await goTo(page, 'runs')
    await page.getByRole('button', { name: 'Search all runs' }).click()
    await page.getByText('5,001 of 5,001 runs').waitFor()
    assert.ok((await page.locator('.run-line').count()) < 60)

    await page.getByRole('searchbox').fill('failed')

    await page.getByText('100 of 5,001 runs').waitFor()
    await close()
  })

  test('draws of 500 partitions those that are seen, and comes to the last one', async () => {
    const { page, close } = await openPage(browser, dev.url)
    await goTo(page, `runs/${LARGE_RUN}`)
    await page.getByRole('button', { name: '500 partitions of orders' }).click()
    assert.ok((await page.locator('.line').count()) < 60)

    await page.getByRole('region', { name: 'Steps and partitions in time' }).focus()
    await page.keyboard.press('End')

    await page.getByRole('button', { name: /^partition 500, success/ }).waitFor()
    await close()
  })

  test('is used by the keyboard alone: from the start to the log of a step', async () => {
    const { page, close } = await openPage(browser, dev.url)
    await pages['']?.(page)
    const pressUntil = async (isThere: string, selector = 'a') => {
      for (let press = 0; press < 60; press++) {
        await page.keyboard.press('Tab')
        const isFound = `document.activeElement.matches('${selector}') && ${isThere}.test(document.activeElement.textContent)`
        if (await page.evaluate(isFound)) return
      }
      assert.fail(`no key leads to ${isThere}`)
    }
    await pressUntil('/^Runs$/')
    await page.keyboard.press('Enter')
    await page.locator('.run-line').first().waitFor()
    await pressUntil('/success.*nightly/')
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'Timeline' }).waitFor()
    await pressUntil('/^orders/', '.choose')
    await page.keyboard.press('Enter')

    await page.getByRole('region', { name: /^Log of orders/ }).waitFor()
    assert.notEqual(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'none')
    await close()
  })
})
