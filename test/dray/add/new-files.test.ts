import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { startDray } from '#test/cli/dray-process.ts'
import { type SmallProject, smallProject } from './small-project.ts'

describe('dray new', () => {
  let project: SmallProject
  before(async () => {
    project = await smallProject()
    const shop = new DatabaseSync(join(project.folder, 'shop.db'))
    shop.exec("create table settings (name text primary key, value text); insert into settings values ('a', 'b')")
    shop.close()
    const lake = new DatabaseSync(join(project.folder, 'lake.db'))
    lake.exec('create table setting (name text primary key, value text)')
    lake.close()
  })
  after(() => project.remove())
  const dray = (...args: string[]) =>
    project.dray(args, {
      SHOP_DATABASE_URL: `sqlite:${join(project.folder, 'shop.db')}`,
      LAKE_DATABASE_URL: `sqlite:${join(project.folder, 'lake.db')}`,
    })
  const read = (path: string) => readFileSync(join(project.folder, path), 'utf8')

  test('task writes a function, and its step behind others', async () => {
    const { code, stdout, stderr } = await dray('new', 'task', 'refresh-mart', '--after', 'settings')

    assert.equal(code, 0, stderr)
    assert.match(stdout, /^\+\+\+ functions\/refresh-mart\/task\.ts$/m)
    assert.match(
      read('infra/workflows/nightly.ts'),
      /steps: \[run\(settings\), run\(refreshMart, \{ after: \[settings\] \}\)\],/,
    )
  })

  test('task --sql writes a SELECT, and the model of its rows', async () => {
    const { code, stdout, stderr } = await dray('new', 'task', 'setting-totals', '--sql', '--after', 'settings')

    assert.equal(code, 0, stderr)
    assert.match(stdout, /write its SELECT into functions\/setting-totals\/task\.ts/)
    assert.match(read('functions/setting-totals/task.ts'), /sql`select 1 as id, .*\{ into: SettingTotal, by: 'id' \}/)
    assert.match(read('shared/models/lake.ts'), /class SettingTotal extends lake\.table\('setting_totals', \{/)
  })

  test('workflow writes a workflow of what is there, and names it to the project', async () => {
    const { code, stderr } = await dray(
      'new',
      'workflow',
      'hourly',
      'settings',
      'refresh-mart',
      'setting-totals',
      '--cron',
      '0 * * * *',
    )

    assert.equal(code, 0, stderr)
    assert.match(read('infra/workflows/hourly.ts'), /schedule: cron\('0 \* \* \* \*', \{ timezone: 'UTC' \}\),/)
    assert.match(read('infra/project.ts'), /workflows: \[nightly, hourly\],/)
  })

  test('writes what the compiler and the linter take as it is, and what runs', async () => {
    assert.equal(await project.check(), '')
    for (const workflow of ['nightly', 'hourly']) {
      const { code, stdout, stderr } = await dray('run', workflow, '--json', '--progress', 'none')
      assert.equal(code, 0, stderr)
      assert.deepEqual(
        JSON.parse(stdout).steps.map(({ step, status }: { step: string; status: string }) => [step, status]),
        [
          ['settings', 'success'],
          ['refresh-mart', 'success'],
          ['setting-totals', 'success'],
        ],
      )
    }
  })

  for (const [what, args, message] of [
    ['a name that is taken', ['task', 'settings'], /functions\/settings is there already/],
    ['a step that is not there', ['workflow', 'weekly', 'nothing'], /no pipeline and no task nothing/],
    ['a workflow without steps', ['workflow', 'weekly'], /npx dray new workflow weekly refresh-mart setting-totals/],
    ['a name in capitals', ['workflow', 'Weekly', 'settings'], /call it weekly/],
  ] as const) {
    test(`refuses ${what}, and writes nothing`, async () => {
      const { code, stderr } = await dray('new', ...args)

      assert.equal(code, 2)
      assert.match(stderr, message)
    })
  }
})

describe('dray new project', () => {
  const parent = mkdtempSync(join(tmpdir(), 'dray-new-project-'))
  const folder = join(parent, 'metering')
  const root = resolve(import.meta.dirname, '../../..')
  const urls = { WAREHOUSE_DATABASE_URL: `sqlite:${join(parent, 'warehouse.db')}` }
  const dray = (cwd: string, ...args: string[]) => startDray(join(parent, '.dray'), args, urls, cwd).ended
  after(() => rmSync(parent, { recursive: true, force: true }))

  test('writes a project that runs, and that the compiler and the linter take as it is', async () => {
    const { code, stderr } = await dray(parent, 'new', 'project', 'metering')
    assert.equal(code, 0, stderr)
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))

    const command = (name: string, ...args: string[]) =>
      execFileSync(join(root, 'node_modules/.bin', name), args, { cwd: folder, encoding: 'utf8' })
    const run = await dray(folder, 'run', '--json', '--progress', 'none')

    assert.equal(command('tsc', '-p', folder), '')
    assert.equal(command('biome', 'check', '--error-on-warnings', 'functions/warehouse-check', 'infra/project.ts'), '')
    assert.equal(JSON.parse(run.stdout).status, 'success', run.stderr)
  })

  test('names it in its manifest and in its lock file alike', () => {
    const read = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'))
    const { name, dependencies, devDependencies } = read('package.json')
    const locked = read('package-lock.json').packages['']

    assert.deepEqual(locked.name, 'metering')
    assert.deepEqual([locked.name, locked.dependencies, locked.devDependencies], [name, dependencies, devDependencies])
  })

  test('writes into no folder that holds something', async () => {
    const { code, stderr } = await dray(parent, 'new', 'project', 'metering')

    assert.equal(code, 2)
    assert.match(stderr, /is not empty, so nothing was written/)
  })
})
