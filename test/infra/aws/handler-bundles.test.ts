import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { bundlesOf } from '#infra/aws/create-stacks.ts'
import { deployedWorkflows } from '#infra/aws/deployed-workflows.ts'
import { environmentOf } from '#infra/aws/environment.ts'
import { type BundledHandler, bundleHandlers } from '#infra/aws/handler-bundles.ts'
import { testEnvironment } from './synthesized-stack.ts'

const project = resolve(import.meta.dirname, '../../..')
const run = promisify(execFile)

/** Of this project, in bytes and milliseconds. */
const loadLimit = 1_200_000
const importLimit = 150
/** The drivers, by the folder of their package. */
const drivers = { postgres: '/node_modules/pg/', mysql: '/node_modules/mysql2/' } as const

describe('the bundles', () => {
  let folder: string
  let handlers: readonly BundledHandler[]
  let bundles: ReadonlyMap<string, string>
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-bundles-'))
    handlers = bundlesOf(await deployedWorkflows(), environmentOf('test', testEnvironment))
    bundles = await bundleHandlers(handlers, folder)
  })
  after(() => rm(folder, { recursive: true, force: true }))
  const moduleOf = (handler: string) => join(bundles.get(handler) ?? '', 'index.mjs')

  test('hold the drivers of the databases that the function works with, and no other', async () => {
    for (const { handler, engines } of handlers) {
      const map = JSON.parse(await readFile(`${moduleOf(handler)}.map`, 'utf8')) as { sources: string[] }

      const held = Object.entries(drivers)
        .filter(([, path]) => map.sources.some((source) => source.includes(path)))
        .map(([engine]) => engine)

      assert.deepEqual(held.sort(), [...engines].sort(), handler)
    }
  })

  test('hold what only a transform calls in the transforms alone', async () => {
    for (const { handler } of handlers) {
      const map = JSON.parse(await readFile(`${moduleOf(handler)}.map`, 'utf8')) as { sources: string[] }

      const cleans = map.sources.some((source) => /^[^:]+shared\/cleaning\//.test(source))

      if (handler === 'functions/customers/transform.ts') assert.equal(cleans, true)
      else if (!handler.endsWith('/transform.ts')) assert.equal(cleans, false, handler)
    }
  })

  test('are as large as the table in docs/bundles.md says, a load no larger than 1.2 MB', async () => {
    const table = await readFile(join(project, 'docs/bundles.md'), 'utf8')
    const written = [...table.matchAll(/^\| `(functions\/[^`]+)` \| [^|]+ \| (\d+) \|/gm)].map(
      ([, handler, kilobytes]) => [handler, Number(kilobytes)] as const,
    )

    const sizes = await Promise.all(
      handlers.map(async ({ handler }) => [handler, (await stat(moduleOf(handler))).size / 1000] as const),
    )

    assert.deepEqual(written.map(([handler]) => handler).sort(), sizes.map(([handler]) => handler).sort())
    for (const [handler, kilobytes] of sizes) {
      const expected = new Map(written).get(handler) ?? 0
      const says = `${handler} has ${Math.round(kilobytes)} kB, and docs/bundles.md says ${expected}`
      assert.ok(Math.abs(kilobytes - expected) <= expected * 0.05, says)
      if (handler.endsWith('/load.ts')) assert.ok(kilobytes * 1000 < loadLimit, says)
    }
  })

  test('are imported where no package is installed, in less than 150 ms', async () => {
    for (const { handler } of handlers) {
      const milliseconds = await bestImport(moduleOf(handler))

      assert.ok(milliseconds < importLimit, `${handler} took ${milliseconds} ms`)
    }
  })

  test('are the same each time they are made', async () => {
    const again = await mkdtemp(join(tmpdir(), 'dray-bundles-'))

    const made = await bundleHandlers(handlers.slice(0, 2), again).finally(() => rm(again, { recursive: true }))

    for (const [handler, place] of made) assert.equal(basename(place), basename(bundles.get(handler) ?? ''))
  })
})

/** The best of several cold starts, by the clock or by the processor: what else this machine does only ever adds to them. */
async function bestImport(module: string): Promise<number> {
  const script = `const start = performance.now(), before = process.cpuUsage()
    const { handler } = await import('${pathToFileURL(module)}')
    const clock = performance.now() - start, { user, system } = process.cpuUsage(before)
    process.stdout.write(typeof handler + ' ' + Math.min(clock, (user + system) / 1000))`
  let best = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 20 && best >= importLimit; attempt++) {
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: tmpdir() })
    const [type, milliseconds] = stdout.split(' ')
    assert.equal(type, 'function')
    best = Math.min(best, Number(milliseconds))
  }
  return Math.round(best)
}
