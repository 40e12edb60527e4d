import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { ordersProject } from '#test/services/orders-project.ts'

const root = resolve(import.meta.dirname, '../../..')
const run = promisify(execFile)

/** Writes the URL of each module that a process and its threads load. */
const RECORDER = `
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
registerHooks({
  load(url, context, next) {
    appendFileSync(process.env.LOADED, url + '\\n')
    return next(url, context)
  },
})`

describe('the bundle of the command', () => {
  let folder: string

  /** A clone with the packages of this one, so that its sources can be changed. */
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-bundle-'))
    for (const part of ['shared/dray', 'infra/dray', 'package.json']) {
      await cp(join(root, part), join(folder, part), {
        recursive: true,
        filter: (source) => !source.endsWith('node_modules'),
      })
    }
    for (const [name, text] of Object.entries(ordersProject())) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    }
    await mkdir(join(folder, '.dray'), { mode: 0o700 })
    const till = new DatabaseSync(join(folder, '.dray/till.db'))
    till.exec("create table orders (id integer primary key, name text); insert into orders values (1, 'one')")
    till.close()
    const packages = join(folder, 'node_modules')
    await mkdir(packages)
    for (const name of await readdir(join(root, 'node_modules'))) {
      if (['.cache', '.bin', 'dray', 'dray-infra'].includes(name)) continue
      await symlink(join(root, 'node_modules', name), join(packages, name))
    }
    await symlink('../shared/dray', join(packages, 'dray'))
    await symlink('../infra/dray', join(packages, 'dray-infra'))
    await writeFile(join(folder, 'recorder.mjs'), RECORDER)
  })

  after(() => rm(folder, { recursive: true, force: true }))

  async function dray(...args: string[]): Promise<{ readonly printed: string; readonly loaded: readonly string[] }> {
    const list = join(folder, 'loaded')
    await writeFile(list, '')
    const { stdout } = await run(
      process.execPath,
      [`--import=${pathToFileURL(join(folder, 'recorder.mjs'))}`, join(folder, 'infra/dray/cli/dray.ts'), ...args],
      { cwd: folder, env: { ...process.env, LOADED: list, DRAY_HOME: join(folder, '.dray') } },
    )
    const loaded = (await readFile(list, 'utf8')).trim().split('\n')
    const sources = pathToFileURL(folder).href
    return {
      printed: stdout,
      loaded: loaded
        .filter((url) => /\/(shared|infra)\/dray\/.+\.ts$/.test(url))
        .map((url) => url.slice(sources.length + 1)),
    }
  }

  const make = () =>
    run(process.execPath, [
      '--input-type=module',
      '-e',
      `import { makeBundle } from ${JSON.stringify(pathToFileURL(join(folder, 'infra/dray/bundle/make-bundle.ts')).href)}; await makeBundle()`,
    ])

  it('is what runs, command and threads, once a run has made it', async () => {
    const first = await dray('run', '--progress', 'none')
    const second = await dray('run', '--progress', 'none')

    assert.match(second.printed, /success/)
    assert.ok(first.loaded.length > 300, `${first.loaded.length} sources`)
    const left = second.loaded.filter((file) => !file.startsWith('infra/dray/bundle/'))
    assert.deepEqual([...new Set(left)].sort(), [
      'infra/dray/cli/dray.ts',
      'infra/dray/local/experimental-warnings.ts',
      'infra/dray/local/worker.ts',
    ])
  })

  it('is never run in place of sources that have changed since', async () => {
    const file = join(folder, 'infra/dray/cli/main.ts')
    const said = 'Carries rows from operational databases to a warehouse.'
    await make()

    await writeFile(file, (await readFile(file, 'utf8')).replace(said, 'Carries words.'))
    const changed = await dray('run', '--help')
    const described = await dray('--help')

    assert.ok(changed.loaded.includes('infra/dray/cli/main.ts'))
    assert.match(described.printed, /Carries words\./)
  })

  it('is done without where nothing can be written beside the packages', async () => {
    await rm(join(folder, 'node_modules/.cache'), { recursive: true, force: true })
    await writeFile(join(folder, 'node_modules/.cache'), 'a file')

    const { printed } = await dray('run', '--progress', 'none')

    assert.match(printed, /success/)
  })
})
