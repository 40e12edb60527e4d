import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Database } from 'dray/internal/active-record/database.ts'
import { replicate } from 'dray/internal/pipeline/declare/replica.ts'
import { onEachEngine } from './engines.ts'
import { runReplica } from './replica-run.ts'

const source = new Database('rep-source')
const target = new Database('rep-target')

const rowsOf = async (database: Database, sql: string) => (await database.query(sql)).rows

onEachEngine('a replica', [source, target], (engine) => {
  const shop = replicate('shop-raw', { from: source, into: target, cursor: 'updated_at' })

  async function shopTables() {
    await source.query(
      'create table customers (id integer not null primary key, name varchar(50), note varchar(50) not null)',
    )
    await source.query(
      'create table order_lines (order_id integer not null, place integer not null, amount decimal(10,2), primary key (order_id, place))',
    )
    await source.query('create table log (what varchar(20))')
    await source.query("insert into customers values (1, 'Ann', 'a'), (2, null, 'b')")
    await source.query('insert into order_lines values (1, 1, 9.99), (1, 2, 100.25), (2, 1, null)')
    await source.query("insert into log values ('x'), ('x'), (null)")
  }

  test('takes over every table, each as a pipeline of its own', async () => {
    await shopTables()

    const run = await runReplica(shop, 'run-1', engine.harness.services)

    assert.deepEqual([run.status, run.error], ['SUCCEEDED', null])
    assert.deepEqual(await rowsOf(target, 'select id, name, note from customers order by id'), [
      ['1', 'Ann', 'a'],
      ['2', null, 'b'],
    ])
    assert.deepEqual(await rowsOf(target, 'select order_id, place, amount from order_lines order by 1, 2'), [
      ['1', '1', '9.99'],
      ['1', '2', '100.25'],
      ['2', '1', null],
    ])
    assert.deepEqual(await rowsOf(target, 'select count(*), count(what) from log'), [['3', '2']])
    assert.deepEqual(
      [...run.steps.values()].map(({ step, status, read, tables }) => [step, status, read, tables?.total]).sort(),
      [
        ['shop-raw', 'success', 8, 3],
        ['shop-raw/customers', 'success', 2, undefined],
        ['shop-raw/log', 'success', 3, undefined],
        ['shop-raw/order_lines', 'success', 3, undefined],
      ],
    )
  })
})
