import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { bundlesOf } from 'dray-infra/internal/aws/create-stacks.ts'
import { triggerHandlers } from 'dray-infra/internal/aws/deployed-handlers.ts'
import { deployedWorkflows } from 'dray-infra/internal/aws/deployed-workflows.ts'
import { type BundledHandler, bundleHandlers } from 'dray-infra/internal/aws/handler-bundles.ts'
import { environmentOf } from 'dray-infra/internal/project/environment.ts'
import { fixtureFolder, fixtureProject } from '#test/fixture-project.ts'
import { testEnvironment } from './synthesized-stack.ts'

const page = resolve(import.meta.dirname, '../../../docs/bundles.md')
const run = promisify(execFile)

/** In bytes. */
const LOAD_LIMIT = 1_200_000
/** The drivers, by the folder of their package. */
const drivers = { postgres: '/node_modules/pg/', mysql: '/node_modules/mysql2/' } as const

describe('the bundles', () => {
  let folder: string
  let handlers: readonly BundledHandler[]
  let bundles: ReadonlyMap<string, string>
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-bundles-'))
    handlers = bundlesOf(await deployedWorkflows(await fixtureProject()), environmentOf('test', testEnvironment))
    bundles = await bundleHandlers(handlers, fixtureFolder, folder)
  })
  after(() => rm(folder, { recursive: true, force: true }))
  const folderOf = (handler: string) => bundles.get(handler) ?? ''

  test('hold the drivers of the databases that the function works with, and no other', async () => {
    for (const { handler, engines } of handlers) {
      const sources = await sourcesOf(folderOf(handler))

      const held = Object.entries(drivers)
        .filter(([, path]) => sources.some((source) => source.includes(path)))
        .map(([engine]) => engine)

      assert.deepEqual(held.sort(), [...engines].sort(), handler)
    }
  })

  test('hold what only a transform calls in the transforms alone', async () => {
    for (const { handler } of handlers) {
      const sources = await sourcesOf(folderOf(handler))

      const cleans = sources.some((source) => /shared\/dray\/cleaning\//.test(source))

      if (handler === 'functions/customers/transform.ts') assert.equal(cleans, true)
      else if (!handler.endsWith('/transform.ts')) assert.equal(cleans, false, handler)
    }
  })

  test('hold nothing of the state that a command keeps in a file', async () => {
    for (const { handler, engines } of handlers) {
      const sources = await sourcesOf(folderOf(handler))

      assert.equal(
        sources.some((source) => source.includes('shared/dray/state/local/')),
        false,
        handler,
      )
      if (engines.includes('sqlite')) continue
      const texts = await Promise.all(
        (await modulesIn(folderOf(handler))).map((file) => readFile(join(folderOf(handler), file), 'utf8')),
      )
      assert.equal(
        texts.some((text) => text.includes('node:sqlite')),
        false,
        handler,
      )
    }
  })

  test('read no client of AWS and no driver before the first call', async () => {
    const late = [
      '/node_modules/@aws-sdk/client-s3/',
      '/node_modules/@smithy/',
      '/node_modules/pg/',
      '/node_modules/mysql2/',
    ]
    const triggers: readonly string[] = Object.values(triggerHandlers)
    for (const { handler } of handlers.filter((one) => !triggers.includes(one.handler))) {
      const folder = folderOf(handler)

      const read = (await Promise.all((await readAtStart(folder)).map((file) => sourcesIn(folder, file)))).flat()

      assert.deepEqual(
        late.filter((path) => read.some((source) => source.includes(path))),
        [],
        handler,
      )
    }
  })

  test('are as large as the table in docs/bundles.md says, a load no larger than 1.2 MB', async () => {
    const rows = await Promise.all(
      handlers.map(async ({ handler, engines }) => {
        const all = await bytesOf(folderOf(handler), await modulesIn(folderOf(handler)))
        const start = await bytesOf(folderOf(handler), await readAtStart(folderOf(handler)))
        return { handler, engines: [...engines].sort().join(', ') || 'none', all, start }
      }),
    )
    if (process.env.UPDATE_DOCS === '1') await publish(rows)

    const table = await readFile(page, 'utf8')
    const written = [...table.matchAll(/^\| `(functions\/[^`]+)` \| ([^|]+) \| (\d+) \| (\d+) \|/gm)]

    assert.deepEqual(
      written.map(([, handler, engines]) => [handler, engines]),
      rows.map(({ handler, engines }) => [handler, engines]).sort(),
      'run this test with UPDATE_DOCS=1',
    )
    for (const [, handler, , all, start] of written) {
      const row = rows.find((one) => one.handler === handler)
      assertNear(row?.all ?? 0, Number(all), `${handler} in all`)
      assertNear(row?.start ?? 0, Number(start), `${handler} at the start`)
      if (handler?.endsWith('/load.ts')) assert.ok((row?.all ?? 0) < LOAD_LIMIT, `${handler} has ${row?.all} bytes`)
    }
  })

  test('are imported where no package is installed', async () => {
    for (const { handler } of handlers) {
      assert.equal(await importedHandler(join(folderOf(handler), 'index.mjs')), 'function', handler)
    }
  })

  /** Writes the table anew. */
  async function publish(rows: readonly { handler: string; engines: string; all: number; start: number }[]) {
    const lines: string[] = []
    for (const { handler, engines, all, start } of rows.toSorted((one, other) =>
      one.handler < other.handler ? -1 : 1,
    )) {
      lines.push(`| \`${handler}\` | ${engines} | ${kilobytes(all)} | ${kilobytes(start)} |`)
    }
    const text = await readFile(page, 'utf8')
    await writeFile(
      page,
      text.replace(/(\| deployed function \|.*\n\|[ -|]+\n)(?:\| `.*\n)*/, `$1${lines.join('\n')}\n`),
    )
  }

  test('are the same each time they are made', async () => {
    const again = await mkdtemp(join(tmpdir(), 'dray-bundles-'))

    const made = await bundleHandlers(handlers, fixtureFolder, again).finally(() => rm(again, { recursive: true }))

    for (const [handler, place] of made) assert.equal(basename(place), basename(bundles.get(handler) ?? ''))
  })
})

const kilobytes = (bytes: number) => Math.round(bytes / 1000)

function assertNear(bytes: number, written: number, what: string): void {
  const says = `${what}: ${kilobytes(bytes)} kB, and docs/bundles.md says ${written}; run this test with UPDATE_DOCS=1`
  assert.ok(Math.abs(bytes / 1000 - written) <= written * 0.05, says)
}

async function modulesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((file) => file.endsWith('.mjs'))
}

async function bytesOf(folder: string, files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function sourcesIn(folder: string, file: string): Promise<readonly string[]> {
  return (JSON.parse(await readFile(join(folder, `${file}.map`), 'utf8')) as { sources: string[] }).sources
}

async function sourcesOf(folder: string): Promise<readonly string[]> {
  return (await Promise.all((await modulesIn(folder)).map((file) => sourcesIn(folder, file)))).flat()
}

/** The module of the handler and all that it imports, but not on demand. */
async function readAtStart(folder: string): Promise<string[]> {
  const files = new Set(['index.mjs'])
  for (const file of files) {
    const source = await readFile(join(folder, file), 'utf8')
    for (const [, imported = ''] of source.matchAll(/\b(?:from|import)"\.\/([\w.-]+\.mjs)"/g)) files.add(imported)
  }
  return [...files]
}

/** The type of what a module exports as `handler`, in a process that begins where there are no packages. */
async function importedHandler(module: string): Promise<string> {
  const script = `process.stdout.write(typeof (await import(${JSON.stringify(pathToFileURL(module).href)})).handler)`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: tmpdir() })
  return stdout
}
