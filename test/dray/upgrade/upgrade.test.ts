import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'

/*
 * From this framework to a copy of it in which one file is changed, one added and one deleted, and one dependency is
 * new; in a project whose user has a pipeline of their own.
 */

const root = resolve(import.meta.dirname, '../../..')
const LEFT = new Set(['node_modules', '.dray', 'cdk.out', '.git'])
const run = promisify(execFile)

/** Why an upgrade cannot be tried here: it wants Git, and npm asks the registry for the dependency that is new. */
async function unavailable(): Promise<string | false> {
  if (process.env.CI === 'true') return false
  const has = (command: string, ...args: string[]) => run(command, args).then(Boolean, () => false)
  if (!(await has('git', '--version'))) return 'there is no git'
  return (await has('npm', 'view', 'is-number@7.0.0', 'version')) ? false : 'npm reaches no registry'
}

/** What tests make beside themselves, where the framework's packages are found, come and go. */
const OF_OTHER_TESTS = /^(?:left|fixture|printed)-\w{6}$/

describe('dray upgrade', { skip: await unavailable() }, () => {
  let project: string
  let next: string
  before(async () => {
    project = await copy()
    next = await copy()
    await cp(
      join(import.meta.dirname, '../projects/replaced/functions/readings'),
      join(project, 'functions/readings'),
      {
        recursive: true,
      },
    )
    await edit(join(project, 'package.json'), (text) =>
      text.replace('"test:long"', '"greet": "echo hello",\n    "test:long"'),
    )
    await git('init', '--quiet')
    await commit()
    await writeFile(join(next, 'shared/dray/added.ts'), 'export const added = true\n')
    await edit(join(next, 'shared/dray/errors.ts'), (text) => `${text}\n// Changed.\n`)
    await rm(join(next, 'docs/scale.md'))
    await edit(join(next, 'shared/dray/package.json'), (text) => {
      const manifest = JSON.parse(text)
      return JSON.stringify({
        ...manifest,
        version: '9.9.9',
        dependencies: { ...manifest.dependencies, 'is-number': '7.0.0' },
      })
    })
    await edit(join(next, 'infra/dray/upgrade/template/package.json.template'), (text) =>
      text.replace('"test:long":', '"fresh": "dray runs",\n    "test:long":'),
    )
  })
  after(async () => {
    await rm(project, { recursive: true, force: true })
    await rm(next, { recursive: true, force: true })
  })

  const git = (...args: string[]) =>
    run('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], { cwd: project })
  const commit = async () => {
    await git('add', '--all')
    await git('commit', '--quiet', '--message', 'All')
  }
  const upgrade = (...args: string[]) =>
    run(process.execPath, [join(packageFolder, 'cli/dray.ts'), 'upgrade', ...args], { cwd: project })

  test('says what would change, and changes nothing, when it is asked to', async () => {
    const { stdout } = await upgrade(next, '--dry-run')

    assert.match(stdout, /^Dray \S+ → 9\.9\.9: 1 file added, 3 changed, 1 removed\.$/m)
    assert.match(
      stdout,
      /^ {2}\+ shared\/dray\/added\.ts\n(.*\n)* {2}- docs\/scale\.md\n {2}package\.json scripts\.fresh: set$/m,
    )
    assert.equal((await git('status', '--porcelain')).stdout, '')
  })

  test('refuses a tree in which something is not committed, and what is no Dray', async () => {
    await writeFile(join(project, 'unsaved.txt'), '')
    await assert.rejects(upgrade(next), /unsaved\.txt is not committed, so nothing was changed/)
    await rm(join(project, 'unsaved.txt'))
    await assert.rejects(upgrade(tmpdir()), /There is no Dray in/)
    await assert.rejects(upgrade('https://example.com/dray.git'), /no folder and no Git URL with a ref/)
  })

  test('replaces the framework whole, merges what both write in, renews the lock file, and leaves the user alone', async () => {
    const { stdout } = await upgrade(next, '--json')

    const { from, to, files, merged } = JSON.parse(stdout)
    assert.deepEqual([to, files.added, files.removed], ['9.9.9', ['shared/dray/added.ts'], ['docs/scale.md']])
    assert.notEqual(from, to)
    assert.deepEqual(merged, [{ file: 'package.json', keys: [{ key: 'scripts.fresh', change: 'set' }] }])
    const changed = (await git('status', '--porcelain', '--untracked-files=all')).stdout.trimEnd().split('\n')
    assert.deepEqual(changed.map((line) => line.slice(3)).sort(), [
      'docs/scale.md',
      'infra/dray/upgrade/template/package.json.template',
      'package-lock.json',
      'package.json',
      'shared/dray/added.ts',
      'shared/dray/errors.ts',
      'shared/dray/package.json',
    ])
    const { scripts } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8'))
    assert.deepEqual([scripts.greet, scripts.fresh], ['echo hello', 'dray runs'])
    assert.ok(
      'node_modules/is-number' in JSON.parse(await readFile(join(project, 'package-lock.json'), 'utf8')).packages,
    )
  })

  test('takes a version from Git at a ref', async () => {
    await commit()
    await git('tag', 'v1')

    const { stdout } = await upgrade(`file://${project}#v1`)

    assert.match(stdout, /: 0 files added, 0 changed, 0 removed\./)
    await assert.rejects(upgrade(`file://${project}#v2`), /cannot be fetched at v2, so nothing was changed/)
  })
})

async function copy(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-upgrade-'))
  await chmod(folder, 0o755)
  const isKept = (name: string) => !LEFT.has(name) && !OF_OTHER_TESTS.test(name)
  await cp(root, folder, { recursive: true, filter: (source) => source === root || isKept(basename(source)) })
  return folder
}

async function edit(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, 'utf8')))
}
