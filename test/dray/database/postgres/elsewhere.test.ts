import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { changedSince } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { type Harness, openHarness, runPipeline } from '#test/pipeline/harness.ts'
import { type ReplicatedPostgres, startReplicatedPostgres } from '#test/services/standby.ts'

const primary = database('elsewhere-primary')
const source = database('elsewhere-source')
const target = database('elsewhere-target')

class Written extends primary.table('item', { id: bigint().primaryKey(), changedAt: timestamp() }) {}
class Item extends source.source('item', { id: bigint().primaryKey(), changedAt: timestamp() }) {}
class Product extends target.table('product', { id: bigint().primaryKey() }) {}

const items = pipeline('items', {
  extract: changedSince(Item, { cursor: 'changedAt', lag: '0s' }),
  transform: ({ id }) => ({ id }),
  load: upsert(Product, { by: 'id' }),
}) as unknown as Pipeline

describe('rows of PostgreSQL that were committed elsewhere', () => {
  let servers: ReplicatedPostgres
  let harness: Harness
  before(async () => {
    servers = await startReplicatedPostgres()
    harness = await openHarness()
    const urls = {
      [primary.name]: await servers.primary.ensureDatabase('app'),
      [source.name]: servers.standbyUrl(await servers.primary.ensureDatabase('app')),
      [target.name]: await servers.primary.ensureDatabase('warehouse'),
    }
    for (const [name, url] of Object.entries(urls)) process.env[urlVariable(name)] = url
    for (const model of [Written, Product] as unknown as ModelClass[]) await model.createTable()
  })
  after(async () => {
    await Promise.all([primary.close(), source.close(), target.close()])
    await servers?.stop()
    await harness?.close()
  })

  const write = (id: number) => primary.query(`insert into item values (${id}, clock_timestamp())`)
  const loaded = async () => (await Product.all().order('id').toArray()).map(({ id }) => Number(id))
  const settledOf = (table: string, of = primary) =>
    of.withConnection((connection) => connection.settledUntil(0, { table }))

  /** Until the standby has replayed all that the primary has. */
  async function replayed(): Promise<void> {
    const [[end] = []] = (await primary.query('select pg_current_wal_insert_lsn()')).rows
    for (;;) {
      const { rows } = await source.query(`select pg_last_wal_replay_lsn() >= '${end}'`)
      if (rows[0]?.[0] === 't') return
      await delay(20)
    }
  }

  test('are not missed on a standby that lags', async () => {
    await write(1)
    await replayed()
    await runPipeline(items, 'run-1', harness.services)
    await source.query('select pg_wal_replay_pause()')
    await write(2)
    await delay(1_100)
    await runPipeline(items, 'run-2', harness.services)
    const during = await loaded()
    await source.query('select pg_wal_replay_resume()')
    await write(3)
    await replayed()

    await runPipeline(items, 'run-3', harness.services)

    assert.deepEqual([during, await loaded()], [[1], [1, 2, 3]])
    const notes = (await harness.services.state.run('run-2'))?.steps[0]?.notes ?? []
    assert.match(notes[0] ?? '', /is not exact: this is a replica: .*it has replayed up to \d{4}-.* UTC/)
  })

  test('are read on a standby whose primary is idle, as soon as the primary has spoken', async () => {
    await replayed()
    const { until: first } = await settledOf('item', source)

    let { until } = await settledOf('item', source)
    for (const patience = Date.now() + 60_000; until <= first && Date.now() < patience; await delay(250)) {
      ;({ until } = await settledOf('item', source))
    }

    assert.ok(until > first, `${until} is not after ${first}`)
  })

  test('are never claimed to be settled for a foreign table, nor for what is made of one', async () => {
    await primary.query(`create foreign data wrapper nowhere; create server far foreign data wrapper nowhere;
      create foreign table foreign_item (id bigint, changed_at timestamptz) server far;
      create view seen as select * from (select * from foreign_item) as inner_item;
      create table parted (id bigint, changed_at timestamptz) partition by list (id);
      create table parted_1 partition of parted for values in (1);
      create foreign table parted_2 partition of parted for values in (2) server far`)

    const settled = await Promise.all(['foreign_item', 'seen', 'parted', 'parted_1'].map((table) => settledOf(table)))

    assert.deepEqual(
      settled.map(({ exact }) => exact),
      [false, false, false, true],
    )
    assert.match(settled[1]?.reason ?? '', /foreign_item is a foreign table/)
    assert.match(settled[2]?.reason ?? '', /parted_2 is a foreign table/)
  })

  test('are never claimed to be settled for a materialized view', async () => {
    await primary.query('create materialized view kept as select * from item; create view over_kept as table kept')

    const settled = await settledOf('over_kept')

    assert.equal(settled.exact, false)
    assert.match(settled.reason ?? '', /kept is a materialized view/)
  })

  test('are never claimed to be settled for the table of a subscription', async () => {
    const url = await servers.primary.ensureDatabase('subscriber')
    process.env[urlVariable('elsewhere-subscriber')] = url
    const subscriber = database('elsewhere-subscriber')
    await primary.query("select pg_create_logical_replication_slot('item_slot', 'pgoutput')")
    await primary.query('create publication item_publication for table item')
    await subscriber.query(
      'create table item (id bigint primary key, changed_at timestamptz); create table own (id int)',
    )
    const { port, password } = new URL(url)
    await subscriber.query(
      `create subscription item_subscription connection 'host=127.0.0.1 port=${port} user=postgres password=${decodeURIComponent(password)} dbname=app'
        publication item_publication with (create_slot = false, slot_name = 'item_slot', copy_data = false)`,
    )

    const [subscribed, own] = await Promise.all(['item', 'own'].map((table) => settledOf(table, subscriber)))

    await subscriber.query('alter subscription item_subscription disable')
    await subscriber.query('drop subscription item_subscription')
    await subscriber.close()
    assert.deepEqual([subscribed?.exact, own?.exact], [false, true])
    assert.match(subscribed?.reason ?? '', /item is filled by a subscription/)
  })
})
