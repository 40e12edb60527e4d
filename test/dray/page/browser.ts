import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Browser, type BrowserContextOptions, chromium as driver, type Page } from 'playwright-core'
import { startDray } from '#test/cli/dray-process.ts'
import { chromium } from '#test/services/chromium-package.ts'

const found = await chromium()

/** Why the suites of the page are skipped, as `node:test` takes it; false where there is a browser. */
export const isSkipped: string | false = 'unavailable' in found && process.env.CI !== 'true' ? found.unavailable : false

export function startBrowser(): Promise<Browser> {
  if ('unavailable' in found) throw new Error(found.unavailable)
  return driver.launch({ executablePath: found.path, args: ['--no-sandbox'] })
}

export interface ServedDev {
  readonly url: string
  readonly origin: string
  readonly token: string
  stop(): Promise<void>
}

/** Starts `dray dev` in a project, and waits for its address. */
export async function startDev(
  project: { readonly folder: string; readonly home: string; readonly variables?: NodeJS.ProcessEnv },
  ...args: string[]
): Promise<ServedDev> {
  const { folder, home, variables = {} } = project
  const { child, ended } = startDray(home, ['dev', '--port', '0', ...args], variables, folder)
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve)
    ended.then(({ stderr }) => reject(new Error(stderr)))
  })
  const { origin, hash } = new URL(url)
  return {
    url,
    origin,
    token: hash.replace('#token=', ''),
    async stop() {
      child.kill('SIGINT')
      if (child.exitCode === null) await once(child, 'close')
    },
  }
}

/** Opens a page as a person would; what the browser complains of is kept. */
export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}) {
  // What moves would be drawn all the time, by this processor.
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.goto(url)
  return { page, complaints, close: () => context.close() }
}

/** Goes to another page of the page. */
export async function goTo(page: Page, path: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#/${path}`)}`)
}
