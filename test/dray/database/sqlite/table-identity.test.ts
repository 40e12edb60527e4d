import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { SqliteSession } from 'dray/internal/database/sqlite/session.ts'
import { sameDefinition, tableIdentity } from 'dray/internal/database/sqlite/table-identity.ts'
import fc from 'fast-check'

/* A file numbers its definitions, not its tables. What makes t anew must never be taken for something else. */

describe('the identity of a table of SQLite', () => {
  let session: SqliteSession

  function openFile() {
    session = new SqliteSession({ name: 'base', path: ':memory:', variable: '', readOnly: false })
    through.others(
      'create table dray_migration (version); create table t (id integer primary key, at text); create index t_at on t (at)',
    )
  }
  const through = {
    dray: (sql: string) => void session.run(sql),
    others: (sql: string) => session.database.exec(sql),
  }
  beforeEach(openFile)

  const rows = async (sql: string, parameters: readonly string[]) => session.rows(sql, parameters)
  const definitionOf = async (table = 't') => (await tableIdentity(rows, table, ['at'])).definition ?? ''
  const isSameAfter = async (statements: readonly string[], by: keyof typeof through, table = 't') => {
    const before = await definitionOf(table)
    for (const sql of statements) through[by](sql)
    return sameDefinition(before, await definitionOf(table))
  }

  const STAYS: readonly (readonly string[])[] = [
    [],
    ['create table a (id)', 'create index a_id on a (id)', 'create view v as select * from a', 'create table b (id)'],
    ['create virtual table words using fts5 (word)'],
    ['create table c (id integer primary key autoincrement)', 'create table d as select * from t'],
    ['vacuum'],
    ['alter table t add column more text'],
    ['create temp table t (id)', 'drop table temp.t', 'create temp table t (id)', 'drop table temp.t'],
    ['begin', 'drop table t', 'create table t (id integer primary key, at text)', 'rollback'],
  ]
  for (const statements of STAYS) {
    test(`others leave it the same by: ${statements.join('; ') || 'nothing'}`, async () => {
      assert.equal(await isSameAfter(statements, 'others'), true)
    })
  }

  const ANEW: readonly (readonly string[])[] = [
    ['drop table t', 'create table t (id integer primary key, at text)', 'create index t_at on t (at)'],
    ['alter table t rename to u', 'create table t (id integer primary key, at text)'],
    ['create table u (id integer primary key, at text)', 'drop table t', 'alter table u rename to t'],
    ['create table u (id)', 'create table w (id)', 'drop table t', 'create table t (id integer primary key, at text)'],
    ['drop index t_at', 'alter table t drop column at', 'alter table t add column at text'],
    ['alter table t rename column at to former', 'alter table t add column at text'],
  ]
  for (const statements of ANEW) {
    for (const by of ['others', 'dray'] as const) {
      test(`${by === 'dray' ? 'what runs through Dray makes' : 'others make'} it anew by: ${statements.join('; ')}`, async () => {
        assert.equal(await isSameAfter(statements, by), false)
      })
    }
  }

  test('what runs through Dray leaves it the same by whatever is done to other tables', async () => {
    const work = [
      ...['create table n (id)', 'create unique index n_id on n (id)', 'drop table n'],
      ...['create table t2 (id)', 'alter table t2 rename to t3', 'alter table t3 add column x', 'drop table t3'],
      ...['alter table t add column x', 'alter table t add column y'],
    ]

    assert.equal(await isSameAfter([...work, ...work.slice(0, -2)], 'dray'), true)
  })

  test('in a file that is no target nothing is counted or written', async () => {
    through.others('drop table dray_migration')

    const isSame = await isSameAfter(['create table n (id)', 'drop table n'], 'dray')

    assert.equal(isSame, false)
    assert.deepEqual(await rows("select name from sqlite_schema where name like 'dray%'", []), [])
  })

  test('a statement that fails, or is rolled back, is not counted', async () => {
    through.dray('create table n (id)')
    const before = await definitionOf()

    assert.throws(() => through.dray('create table n (id)'))
    for (const sql of ['begin', 'drop table t', 'rollback']) through.dray(sql)

    assert.equal(await definitionOf(), before)
  })

  test('the column of the cursor that others dropped, and Dray added, is another one', async () => {
    const before = await definitionOf()
    through.others('drop index t_at')
    through.others('alter table t drop column at')
    through.dray('alter table t add column at text')

    assert.equal(sameDefinition(before, await definitionOf()), false)
  })

  test('a view is another one when the table under it was made anew through Dray', async () => {
    through.others('create view v as select * from t')

    const isSame = await isSameAfter(['drop table t', 'create table t (id integer primary key, at text)'], 'dray', 'v')

    assert.equal(isSame, false)
  })

  test('the number that a version of before kept is the same until something is defined', async () => {
    const [[version] = []] = await rows('pragma schema_version', [])
    const isSame = async () => sameDefinition(version ?? '', await definitionOf())

    const before = await isSame()
    through.others('create table u (id)')

    assert.deepEqual([before, await isSame()], [true, false])
  })

  const NAMES = ['t', 'a', 'b'] as const
  const name = fc.constantFrom(...NAMES)
  const step = fc.record({
    by: fc.constantFrom('dray', 'others'),
    what: fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('create', 'drop'), name }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('rename'), name, to: name }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('index', 'view', 'column'), name }) },
      fc.record({ kind: fc.constantFrom('unindex', 'vacuum') }),
    ),
  })

  test('whatever is done by whom, another table is never taken for it', async () => {
    let [found, same] = [0, 0]
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 9 }), async (steps) => {
        openFile()
        through.others('create table a (id integer primary key, at text)')
        const numbers = new Map<string, number>([['t', 1]])
        const before = await definitionOf()
        let serial = 1
        for (const { by, what } of steps) {
          serial += 1
          try {
            through[by as keyof typeof through](statementOf(what as Parameters<typeof statementOf>[0], serial))
          } catch {
            continue
          }
          follow(numbers, what as Parameters<typeof follow>[1], serial)
        }
        if (!numbers.has('t')) return
        const isSame = sameDefinition(before, await definitionOf())
        if (numbers.get('t') !== 1) {
          found += 1
          assert.equal(isSame, false)
        } else same += isSame ? 1 : 0
      }),
      { numRuns: 2_000 },
    )
    assert.ok(found > 100 && same > 200, `${found} made anew, ${same} the same`)
  })

  function statementOf(what: { kind: string; name?: string; to?: string }, serial: number): string {
    if (what.kind === 'create') return `create table ${what.name} (id integer primary key, at text)`
    if (what.kind === 'drop') return `drop table ${what.name}`
    if (what.kind === 'rename') return `alter table ${what.name} rename to ${what.to}`
    if (what.kind === 'index') return `create index i${serial} on ${what.name} (at)`
    if (what.kind === 'view') return `create view v${serial} as select 1`
    if (what.kind === 'column') return `alter table ${what.name} add column c${serial}`
    return what.kind === 'unindex' ? 'drop index t_at' : 'vacuum'
  }

  function follow(numbers: Map<string, number>, what: { kind: string; name?: string; to?: string }, serial: number) {
    const { kind, name = '', to = '' } = what
    if (kind === 'create') numbers.set(name, serial)
    if (kind === 'rename') numbers.set(to, numbers.get(name) ?? 0)
    if (kind === 'rename' || kind === 'drop') numbers.delete(name)
  }
})
