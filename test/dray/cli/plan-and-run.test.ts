import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, it } from 'node:test'
import { ordersProject } from '#test/services/orders-project.ts'
import { writeProject } from '#test/services/small-project.ts'
import { startDray, temporaryHome } from './dray-process.ts'

const SOURCE = 'create table orders (id integer primary key, name text, changed_at text)'
const TARGET = 'create table orders (id integer primary key, name text)'

interface Refused {
  readonly what: string
  /** Of the pipeline's file: texts with what stands in their place. */
  readonly edits?: readonly (readonly [string, string])[]
  readonly source?: readonly string[]
  readonly target?: readonly string[]
  readonly options?: readonly string[]
  readonly message: RegExp
}

/** Has the pipeline read by a cursor. */
function byCursor(cursor: string): [string, string][] {
  return [
    ['name: text().nullable() })', 'name: text().nullable(), changedAt: timestamp() })'],
    ['bigint, database, fullLoad', 'bigint, changedSince, database, timestamp'],
    ['fullLoad(Source)', `changedSince(Source, { cursor: '${cursor}', zone: 'UTC' })`],
  ]
}

const refused: readonly Refused[] = [
  {
    what: 'a column that the source does not have',
    source: ['create table orders (id integer primary key)'],
    message: /till\.orders has no column name \(it has id\)/,
  },
  {
    what: 'a column that the target does not have',
    target: ['create table orders (id integer primary key)'],
    message: /lake\.orders has no column name/,
  },
  {
    what: 'a target without the key',
    target: ['create table orders (id integer, name text)'],
    message: /lake\.orders has no primary or unique key on id/,
  },
  {
    what: 'a `by` that is no field',
    edits: [["by: 'id'", "by: 'nope'"]],
    message: /upsert\(\): by names "nope", and the model of lake\.orders has no such field.*id, name/,
  },
  {
    what: 'a cursor that is no field',
    edits: byCursor('chagnedAt'),
    message: /the cursor "chagnedAt" is neither a timestamp nor/,
  },
  {
    what: 'rows without a cursor',
    edits: byCursor('changedAt'),
    source: [SOURCE, "insert into orders values (1, 'a', null)"],
    message: /: pipeline orders: 1 row of till\.orders has no changed_at/,
  },
  {
    what: 'a table that another pipeline writes whole',
    edits: [
      ["upsert(Target, { by: 'id' })", 'replace(Target)'],
      [' upsert }', ' replace }'],
    ],
    target: [
      TARGET,
      'create table dray_fence (pipeline text primary key, epoch integer, mark text, written_table text, alone text, run_id text)',
      "insert into dray_fence values ('others', 1, null, 'main.orders', null, 'r')",
    ],
    message: /the pipeline others writes lake\.orders, too/,
  },
  {
    what: 'a target that newer code has been at',
    target: [
      TARGET,
      'create table dray_migration (version integer primary key, applied_at text)',
      "insert into dray_migration values (999, '2026-01-01')",
    ],
    message: /Dray's own tables in version 999/,
  },
  {
    what: 'keys of a target that cannot tell a row',
    edits: [
      ["upsert(Target, { by: 'id' })", 'append(Target)'],
      [' upsert }', ' append }'],
    ],
    options: ['--keys', '1'],
    message: /appends to lake\.orders, which has no primary key/,
  },
]

describe('what keeps a run from beginning is said by plan and by run, in one sentence and with exit code 2:', () => {
  const { home, remove } = temporaryHome()
  after(remove)

  for (const { what, edits = [], source = [SOURCE], target = [TARGET], options = [], message } of refused) {
    it(what, async () => {
      const { folder, remove: removeProject } = writeProject(edited(edits, options.length > 0))
      const urls = {
        TILL_DATABASE_URL: made(folder, 'till', source),
        LAKE_DATABASE_URL: made(folder, 'lake', target),
      }

      const plan = await startDray(home, ['plan', 'orders', ...options], urls, folder).ended
      const run = await startDray(home, ['run', 'orders', '--progress', 'none', ...options], urls, folder).ended
      removeProject()

      assert.match(plan.stderr, message)
      assert.equal(run.stderr, plan.stderr)
      assert.deepEqual([plan.code, plan.stdout], [2, ''])
      assert.deepEqual([run.code, run.stdout], [2, ''])
    })
  }
})

describe('dray plan', () => {
  const { home, remove } = temporaryHome()
  after(remove)

  it('says that a source without a key is never split, and what to do', async () => {
    const { folder, remove: removeProject } = writeProject(edited([['id: bigint().primaryKey()', 'id: bigint()']]))
    const urls = {
      TILL_DATABASE_URL: made(folder, 'till', [SOURCE]),
      LAKE_DATABASE_URL: made(folder, 'lake', [TARGET]),
    }

    const { code, stdout } = await startDray(home, ['plan', 'orders'], urls, folder).ended
    removeProject()

    assert.match(stdout, /^note: the model of till\.orders has no primary key, so .* never split.*primaryKey\(\)$/m)
    assert.equal(code, 0)
  })
})

function edited(edits: readonly (readonly [string, string])[], isKeyless = false): Record<string, string> {
  const files: Record<string, string> = { ...ordersProject() }
  const [pipeline, models] = ['functions/orders/pipeline.ts', 'shared/models/lake.ts']
  for (const [from, to] of edits) {
    assert.ok(files[pipeline]?.includes(from), from)
    files[pipeline] = files[pipeline]?.replace(from, to) ?? ''
  }
  if (isKeyless) files[models] = files[models]?.replace('.primaryKey()', '') ?? ''
  return files
}

function made(folder: string, name: string, statements: readonly string[]): string {
  const file = join(folder, `${name}.db`)
  writeFileSync(file, '')
  const database = new DatabaseSync(file)
  for (const statement of statements) database.exec(statement)
  database.close()
  return `sqlite:${file}`
}
