import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { type SmallProject, smallProject } from './small-project.ts'

const TABLES = `
  create table "Invoice" ("InvoiceId" INTEGER NOT NULL PRIMARY KEY, "Customer Name" NVARCHAR(60), "InvoiceDate" DATETIME NOT NULL, "Total" NUMERIC(10,2) NOT NULL);
  insert into "Invoice" values (1, 'Aino O''Hara', '2026-01-01 10:00:00', 1.98), (2, null, '2026-01-02 11:00:00', 3.96);
  create table visits (page TEXT NOT NULL, visitor INTEGER NOT NULL, updated_at TEXT NOT NULL, note, PRIMARY KEY (page, visitor));
  create index visits_updated_at on visits (updated_at);
  insert into visits values ('/', 1, '2026-01-01 10:00:00', 'a'), ('/', 2, '2026-01-02 10:00:00', null);
  create view "select" as select page, count(*) as "order" from visits group by page;
`

interface Step {
  readonly step: string
  readonly read: number
  readonly inserted: number
  readonly unchanged: number
}

describe('dray add, on SQLite', () => {
  let project: SmallProject
  const urls = () => ({
    SHOP_DATABASE_URL: `sqlite:${join(project.folder, 'shop.db')}`,
    LAKE_DATABASE_URL: `sqlite:${join(project.folder, 'lake.db')}`,
  })
  const dray = (...args: string[]) => project.dray(args, urls())
  const read = (path: string) => readFileSync(join(project.folder, path), 'utf8')
  async function run(...pipelines: string[]): Promise<readonly Step[]> {
    const { code, stdout, stderr } = await dray('run', '--only', pipelines.join(','), '--json', '--progress', 'none')
    assert.equal(code, 0, stdout + stderr)
    return JSON.parse(stdout).steps
  }

  before(async () => {
    project = await smallProject()
    const shop = new DatabaseSync(join(project.folder, 'shop.db'))
    shop.exec(TABLES)
    shop.close()
  })
  after(() => project.remove())

  test('lists tables with their rows, keys and likely cursors', async () => {
    const { code, stdout } = await dray('add', '--json')

    assert.equal(code, 0)
    const { tables } = JSON.parse(stdout).databases.find(({ database }: { database: string }) => database === 'shop')
    assert.deepEqual(tables, [
      { table: 'Invoice', is_view: false, rows: 2, key: ['InvoiceId'], cursors: [], pipeline: null },
      { table: 'select', is_view: true, rows: null, key: [], cursors: [], pipeline: null },
      { table: 'visits', is_view: false, rows: 2, key: ['page', 'visitor'], cursors: ['updated_at'], pipeline: null },
    ])
  })

  test('lists a database that the environment alone binds under the name that adds its tables', async () => {
    const url = `sqlite:${join(project.folder, 'shop.db')}`

    const { stdout } = await project.dray(['add', '--json'], { ...urls(), BILLING_EU_DATABASE_URL: url })

    const { databases } = JSON.parse(stdout)
    assert.deepEqual(
      databases.map(({ database }: { database: string }) => database),
      ['shop', 'lake', 'billing-eu'],
    )
    assert.equal(databases[2].tables.length, 3)
  })

  test('shows what it would write, with rows, and writes nothing unless it is told yes', async () => {
    const { code, stdout } = await dray('add', 'shop.Invoice')

    assert.equal(code, 0)
    assert.match(stdout, /^\+\+\+ functions\/invoice\/pipeline\.ts$/m)
    assert.match(stdout, /^\+ {2}total: decimal\(10, 2\)\.column\('Total'\),$/m)
    assert.match(stdout, /^Customer Name +text\(\) or NULL +customer_name +Aino O'Hara +NULL$/m)
    assert.match(stdout, /Nothing was written/)
    assert.doesNotMatch(read('infra/workflows/nightly.ts'), /invoice/)
  })

  test('writes models, pipelines, handlers, tests and steps that the compiler and the linter take as they are', async () => {
    const { code, stdout, stderr } = await dray('add', 'shop.invoice', 'shop.visits', 'shop.select', '--yes', '--json')

    assert.equal(code, 0, stderr)
    const { tables, made } = JSON.parse(stdout)
    assert.deepEqual(made, ['lake.invoice', 'lake.visits', 'lake.select'])
    assert.deepEqual(
      tables.map(({ pipeline, reading, load }: Record<string, object>) => ({ pipeline, reading, load })),
      [
        {
          pipeline: 'invoice',
          reading: { kind: 'fullLoad', reason: 'no column says when a row was changed' },
          load: 'upsert',
        },
        { pipeline: 'visits', reading: { kind: 'changedSince', cursor: 'updatedAt', is_xid: false }, load: 'upsert' },
        {
          pipeline: 'select',
          reading: { kind: 'fullLoad', reason: 'no column says when a row was changed' },
          load: 'replace',
        },
      ],
    )
    assert.match(
      read('infra/workflows/nightly.ts'),
      /steps: \[run\(settings\), run\(invoice\), run\(visits\), run\(select\)\],/,
    )
    assert.match(
      read('functions/visits/pipeline.ts'),
      /upsert\(TargetVisit, \{ by: \['page', 'visitor'\], version: 'updatedAt' \}\)/,
    )
    assert.equal(await project.check(), '')
    assert.match(await project.test('invoice', 'visits', 'select'), /^# pass 3$/m)
  })

  test('keeps nothing of what the rows say in the test', () => {
    assert.doesNotMatch(read('functions/invoice/pipeline.test.ts'), /Aino|Hara|3\.96|2026-01-02/)
    assert.match(read('functions/invoice/pipeline.test.ts'), /customerName: "Xxxx X'Xxxx",/)
  })

  test('leads to runs of which the second reads what has changed', async () => {
    const first = await run('invoice', 'visits', 'select')
    const second = await run('invoice', 'visits', 'select')

    assert.deepEqual(
      first.map(({ step, read, inserted }) => [step, read, inserted]),
      [
        ['invoice', 2, 2],
        ['visits', 2, 2],
        ['select', 1, 1],
      ],
    )
    assert.deepEqual(
      second.map(({ step, read, inserted, unchanged }) => [step, read, inserted, unchanged]),
      [
        ['invoice', 2, 0, 2],
        ['visits', 0, 0, 0],
        ['select', 1, 1, 0],
      ],
    )
  })

  test('adds nothing twice', async () => {
    const workflow = read('infra/workflows/nightly.ts')

    const { code, stdout } = await dray('add', 'shop.*', '--yes')

    assert.equal(code, 0)
    assert.match(stdout, /shop\.Invoice: the pipeline invoice reads it already\./)
    assert.match(stdout, /There is nothing to add\./)
    assert.equal(read('infra/workflows/nightly.ts'), workflow)
  })

  test('takes a type that holds every value, the first as well as the last, and a cursor of which every value is a moment', async () => {
    const shop = new DatabaseSync(join(project.folder, 'shop.db'))
    shop.exec(`create table mixed (id integer primary key, day DATE, moment DATETIME, number INT, document JSON, updated_at DATETIME not null);
      create index mixed_updated_at on mixed (updated_at);
      insert into mixed values (1, '2026-01-01', '2026-01-01 10:00:00', 9007199254740993, '{"a": 1}', '2026-01-01 10:00:00+02:00'),
        (2, 20260102, 1767225600, 1.5, '{', '2026-01-01 10:00:00')`)
    shop.close()

    const { code, stdout } = await dray('add', 'shop.mixed', '--yes', '--json')

    assert.equal(code, 0, stdout)
    const [, model] = /class SourceMixed[^{]*\{\n(.*?)\}/s.exec(read('shared/models/shop.ts')) ?? []
    assert.deepEqual(model?.match(/\w+: \w+\(\)/g), [
      'id: bigint()',
      'day: text()',
      'moment: text()',
      'number: text()',
      'document: text()',
      'updatedAt: timestamp()',
    ])
    assert.equal(
      JSON.parse(stdout).tables[0].reading.reason,
      'updated_at has values that are no time stamps in UTC, and rows could fall between two windows',
    )
    const [mixed] = await run('mixed')
    assert.deepEqual([mixed?.read, mixed?.inserted], [2, 2])
  })

  test('takes the key of a view from whoever knows it, and refuses one that rows share or lack', async () => {
    const shop = new DatabaseSync(join(project.folder, 'shop.db'))
    shop.exec("create table stays (guest text, night integer); insert into stays values ('a', 1), ('a', 2), ('b', 1)")
    shop.exec('create view nights as select guest, night, 1 as price from stays')
    const refused = async (key: string) => {
      const { code, stderr } = await dray('add', 'shop.nights', '--key', key, '--yes')
      assert.equal(code, 2)
      return stderr
    }

    const asked = await dray('add', 'shop.nights', '--json')
    assert.match(JSON.parse(asked.stdout).notes.join(), /is a view, of which no key is known.*--key <column>,<column>/)
    assert.match(await refused('guest'), /shop\.nights has several rows of one guest, which --key names/)
    assert.match(await refused('room'), /shop\.nights has no column room, which --key names/)
    shop.exec('insert into stays values (null, 3)')
    assert.match(await refused('guest,night'), /shop\.nights has rows with NULL in guest, night, which --key names/)
    shop.exec('delete from stays where guest is null')
    shop.close()
    const { code, stdout, stderr } = await dray('add', 'shop.nights', '--key', 'guest,night', '--yes', '--json')

    assert.equal(code, 0, stderr)
    assert.equal(JSON.parse(stdout).tables[0].load, 'upsert')
    assert.match(read('shared/models/shop.ts'), /guest: text\(\)\.primaryKey\(\),\s+night: bigint\(\)\.primaryKey\(\)/)
    const [step] = await run('nights')
    assert.equal(step?.inserted, 3)
  })

  test('refuses a table that is not there, and names one like it', async () => {
    const { code, stderr } = await dray('add', 'shop.invoices', '--yes')

    assert.equal(code, 2)
    assert.match(stderr, /shop has no table invoices.*Is it Invoice\?/)
  })
})
