import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Database } from 'dray/internal/active-record/database.ts'
import { bigint } from 'dray/internal/active-record/field-kinds.ts'
import {
  accepted,
  type Check,
  freshness,
  notNull,
  references,
  rowCount,
  unique,
} from 'dray/internal/pipeline/declare/checks.ts'
import { type ReplicaOptions, replicate } from 'dray/internal/pipeline/declare/replica.ts'
import { checkTables } from 'dray/internal/pipeline/inspect/check-replica.ts'
import { onEachEngine } from './engines.ts'
import { type ReplicaRun, runReplica } from './replica-run.ts'

const source = new Database('replica-checks')
const target = new Database('replica-checks-copy')

onEachEngine('checks of the tables of a replica', [source, target], (engine) => {
  const moment =
    engine.dialect === 'postgres' ? 'timestamptz' : engine.dialect === 'mysql' ? 'timestamp(6)' : 'timestamp'
  const made = (orders: readonly Check[], more: Partial<ReplicaOptions> = {}) =>
    replicate('raw', {
      from: source,
      into: target,
      cursor: 'updated_at',
      name: ({ name }) => `raw_${name}`,
      ...more,
      overrides: { orders: { checks: orders, ...more.overrides?.orders } },
    })
  const run = (id: string, orders: readonly Check[], more: Partial<ReplicaOptions> = {}) =>
    runReplica(made(orders, more), id, engine.harness.services)
  const write = async (...statements: string[]) => {
    for (const sql of statements) await source.query(sql)
  }
  const shop = () =>
    write(
      `create table orders (id integer not null primary key, customer integer, ${quoted('Paid By')} varchar(9), updated_at ${moment} not null)`,
      'create index orders_at on orders (updated_at)',
      'create table customers (id integer not null primary key, name varchar(9))',
      "insert into customers values (1, 'Ann')",
      "insert into orders values (1, 1, 'card', '2001-01-01 00:00:00'), (2, 1, 'cash', '2001-01-01 00:00:00')",
    )
  const quoted = (name: string) => (engine.dialect === 'mysql' ? `\`${name}\`` : `"${name}"`)
  const said = ({ steps }: ReplicaRun, table = 'orders') =>
    (steps.get(`raw/${table}`)?.checks ?? []).map(({ name, status, scope, failing }) => [name, status, scope, failing])
  const RawCustomer = target.table('raw_customers', { id: bigint().primaryKey() })

  test('they are asked of the copy by the columns of the source, of the rows of the run where these are few', async () => {
    await shop()
    const checks = [notNull(['id', 'Paid By']), unique('id'), accepted('Paid By', ['card', 'cash'])]
    const first = await run('run-1', [...checks, references('customer', RawCustomer, { scope: 'table' })])
    await write("insert into orders values (3, 1, 'card', '2002-01-01 00:00:00')")

    const second = await runReplica(made(checks), 'run-2', engine.harness.services, {
      tables: ['raw/orders'],
      mode: { keys: [['3']] as never },
    })

    assert.deepEqual([first.error, second.error], [null, null])
    assert.deepEqual(said(first), [
      ['notNull(id, Paid By)', 'passed', 'table', 0],
      ['unique(id)', 'passed', 'table', 0],
      ['accepted(Paid By)', 'passed', 'table', 0],
      ['references(customer)', 'passed', 'table', 0],
    ])
    assert.deepEqual(
      said(second).map(([name, status, scope]) => [name, status, scope]),
      [
        ['notNull(id, Paid By)', 'passed', 'run'],
        ['unique(id)', 'passed', 'run'],
        ['accepted(Paid By)', 'passed', 'run'],
      ],
    )
    assert.equal(second.steps.get('raw/orders')?.read, 1)
  })

  test('one that does not hold stops its table alone, whose last_run stays', async () => {
    await shop()
    await write("insert into orders values (3, null, 'bill', '2000-01-01 00:00:00')")

    const first = await run('run-1', [accepted('Paid By', ['card', 'cash']), notNull('customer', { severity: 'warn' })])

    assert.deepEqual(said(first), [
      ['accepted(Paid By)', 'failed', 'table', 1],
      ['notNull(customer)', 'warned', 'table', 1],
    ])
    assert.match(first.steps.get('raw/orders')?.error ?? '', /1 of its 2 checks does not hold: accepted\(Paid By\)/)
    assert.equal((await engine.harness.services.state.pipeline('raw/orders'))?.lastRun, null)
    assert.equal(first.steps.get('raw/customers')?.inserted, 1)
  })

  test('those of all tables are the number of rows, and the age where there is a cursor; a table has its own instead', async () => {
    await shop()
    const all = { checks: [rowCount({ max: 1 }), freshness('1h', { severity: 'warn' })] }

    const first = await run('run-1', [rowCount({ min: 2 })], all)
    const apart = await checkTables(made([rowCount({ min: 3 })], all), engine.harness.services)

    assert.deepEqual(said(first), [
      ['freshness', 'warned', 'source', null],
      ['rowCount', 'passed', 'table', null],
    ])
    assert.deepEqual(said(first, 'customers'), [['rowCount', 'passed', 'table', null]])
    assert.deepEqual(
      new Map(apart.map(({ step, checks }) => [step, checks.map(({ status }) => status).join()])),
      new Map([
        ['raw/orders', 'warned,failed'],
        ['raw/customers', 'passed'],
      ]),
    )
  })

  test('one of a column that there is not, or that is not taken over, refuses its table before anything is read', async () => {
    await shop()
    const unknown = await run('run-1', [notNull('custommer')])
    const left = await run('run-2', [notNull('customer')], { overrides: { orders: { except: ['customer'] } } })
    const fixed = await run('run-3', [])
    await write('alter table orders add column more varchar(9)')
    const unfollowed = await run('run-4', [notNull('more')], { columns: 'fixed' })
    const followed = await run('run-5', [notNull('more', { severity: 'warn' })])

    const errorOf = ({ steps }: ReplicaRun) => steps.get('raw/orders')?.error ?? ''
    assert.match(
      errorOf(unknown),
      /checks } names custommer, and replica-checks.orders has no such column.*it has id, /,
    )
    assert.match(errorOf(left), /a check names customer of replica-checks.orders, which is not taken over/)
    assert.match(errorOf(unfollowed), /a check names more, which replica-checks-copy.raw_orders does not have/)
    assert.deepEqual([fixed.error, followed.error, said(followed).length], [null, null, 1])
  })

  test('a check of columns of all tables is refused where it is declared', () => {
    assert.throws(() => made([], { checks: [notNull('id')] }), /the check notNull\(id\) is about columns.*overrides/)
  })
})
