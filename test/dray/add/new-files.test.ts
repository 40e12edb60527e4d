import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
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

  test('workflow writes a workflow of what is there, and names it to the project', async () => {
    const { code, stderr } = await dray('new', 'workflow', 'hourly', 'settings', 'refresh-mart', '--cron', '0 * * * *')

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
        JSON.parse(stdout).steps.map(({ name, status }: { name: string; status: string }) => [name, status]),
        [
          ['settings', 'success'],
          ['refresh-mart', 'success'],
        ],
      )
    }
  })

  for (const [what, args, message] of [
    ['a name that is taken', ['task', 'settings'], /functions\/settings is there already/],
    ['a step that is not there', ['workflow', 'weekly', 'nothing'], /no pipeline and no task nothing/],
    ['a workflow without steps', ['workflow', 'weekly'], /npx dray new workflow weekly refresh-mart settings/],
    ['a name in capitals', ['workflow', 'Weekly', 'settings'], /call it weekly/],
  ] as const) {
    test(`refuses ${what}, and writes nothing`, async () => {
      const { code, stderr } = await dray('new', ...args)

      assert.equal(code, 2)
      assert.match(stderr, message)
    })
  }
})
