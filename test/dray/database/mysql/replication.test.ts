import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import { changedSince } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { type Harness, openHarness, runPipeline } from '#test/pipeline/harness.ts'
import type { TestMysqlServer } from '#test/services/mysql-process.ts'
import { isRealMysql, MYSQL_NAME, startMysqlServer } from '#test/services/mysql-server.ts'
import { signInOnce } from '#test/services/mysql-speech.ts'
import { skip } from './opened-server.ts'

const primary = database('replicated-primary')
const source = database('replicated-source')
const target = database('replicated-target')

class Written extends primary.table('item', { id: bigint().primaryKey(), changedAt: timestamp() }) {}
class Item extends source.source('item', { id: bigint().primaryKey(), changedAt: timestamp() }) {}
class Product extends target.table('product', { id: bigint().primaryKey() }) {}

const items = pipeline('items', {
  extract: changedSince(Item, { cursor: 'changedAt', lag: '0s' }),
  transform: ({ id }) => ({ id }),
  load: upsert(Product, { by: 'id' }),
}) as unknown as Pipeline

async function start(...options: string[]): Promise<TestMysqlServer> {
  const server = await startMysqlServer({ arguments: options })
  return server
}

/** What has a server replay one database of another server, which MySQL makes by itself. */
function followingStatements({ port, password, only }: { port: string; password: string; only: string }): string[] {
  const of = (word: string) =>
    `${word}_HOST='127.0.0.1', ${word}_PORT=${port}, ${word}_USER='dray', ${word}_PASSWORD='${password}'`
  return isRealMysql
    ? [
        `CHANGE REPLICATION SOURCE TO ${of('SOURCE')}, GET_SOURCE_PUBLIC_KEY=1`,
        `CHANGE REPLICATION FILTER REPLICATE_DO_DB=(${only})`,
        'START REPLICA',
      ]
    : [
        `CREATE DATABASE ${only}`,
        `CHANGE MASTER TO ${of('MASTER')}`,
        `SET GLOBAL replicate_do_db='${only}'`,
        'START SLAVE',
      ]
}

const REPLICA = isRealMysql ? 'REPLICA' : 'SLAVE'
const SHOW_REPLICA = `SHOW ${REPLICA} STATUS`

describe(`a source that replays another ${MYSQL_NAME}, and can be written`, { skip }, () => {
  let servers: TestMysqlServer[]
  let harness: Harness
  before(async () => {
    const main = await start('--server-id=1', '--log-bin=binlog')
    const replica = await start('--server-id=2')
    servers = [main, replica]
    harness = await openHarness()
    process.env[urlVariable(primary.name)] = await main.createDatabase()
    const { pathname, port, password } = new URL(process.env[urlVariable(primary.name)] as string)
    const url = new URL(replica.url)
    url.pathname = pathname
    process.env[urlVariable(target.name)] = await replica.createDatabase()
    const replicas = createMysqlAdapter({ name: 'replica', url: replica.url })
    const connection = await replicas.acquire()
    for (const statement of followingStatements({ port, password, only: pathname.slice(1) })) {
      await connection.query(statement)
    }
    await replicas.release(connection)
    await replicas.close()
    process.env[urlVariable(source.name)] = url.href
    for (const model of [Written, Product] as unknown as ModelClass[]) await model.createTable()
    await replayed(
      "select count(*) from information_schema.tables where table_schema = database() and table_name = 'item'",
    )
  })
  after(async () => {
    await Promise.all([primary.close(), source.close(), target.close()])
    await Promise.all((servers ?? []).map((server) => server.stop()))
    await harness?.close()
  })

  const write = (id: number) => primary.query(`insert into item values (${id}, utc_timestamp(6))`)
  const loaded = async () => (await Product.all().order('id').toArray()).map(({ id }) => Number(id))
  const run = (id: string) => runPipeline(items, id, harness.services)

  async function replayed(found: string): Promise<void> {
    for (;;) {
      const count = (await source.query(found).catch(() => null))?.rows[0]?.[0]
      if (count === '1') return
      await delay(20)
    }
  }

  async function behind(seconds: number): Promise<void> {
    for (;;) {
      const { columns, rows } = await source.query(SHOW_REPLICA)
      if (Number(rows[0]?.[columns.findIndex((name) => /^Seconds_Behind/.test(name))]) >= seconds) return
      await delay(50)
    }
  }

  test('has no row that is missed, however late it is replayed, and is never claimed to be exact', async () => {
    await write(1)
    await replayed('select count(*) from item where id = 1')
    await delay(2_500)
    await run('run-1')
    const first = await loaded()
    const adapter = await source.adapter()
    const holder = await adapter.acquire()
    await holder.query('LOCK TABLES item READ')
    await write(2)
    await behind(2)
    await run('run-2')
    const during = await loaded()
    await holder.query('UNLOCK TABLES')
    await adapter.release(holder)
    await replayed('select count(*) from item where id = 2')
    await delay(2_500)

    await run('run-3')

    assert.deepEqual([first, during, await loaded()], [[1], [1], [1, 2]])
    const notes = (await harness.services.state.run('run-2'))?.steps[0]?.notes ?? []
    assert.match(notes[0] ?? '', /is not exact: the server is a replica: .*replayed up to \d{4}-.* UTC/)
  })

  test('is not read while its replication stands, since how far it has come is not known', async () => {
    await source.query(`STOP ${REPLICA} SQL_THREAD`)

    await assert.rejects(run('run-4'), (error: Error) => {
      assert.match(error.message, /replication does not run.*START REPLICA/)
      return error.name === 'Transient'
    })

    await source.query(`START ${REPLICA} SQL_THREAD`)
  })

  test('is not taken for exact where the user may not ask, which is said with the grant', async () => {
    const url = new URL(process.env[urlVariable(primary.name)] as string)
    await primary.query(`CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'reader'`)
    await primary.query(`GRANT PROCESS ON *.* TO reader@'127.0.0.1'`)
    await primary.query(`GRANT SELECT ON ${url.pathname.slice(1)}.* TO reader@'127.0.0.1'`)
    url.username = 'reader'
    url.password = 'reader'
    await signInOnce(url.href)
    const adapter = createMysqlAdapter({ name: 'sales', url: url.href })
    const connection = await adapter.acquire()

    const { exact, reason } = await connection.settledUntil(0, { table: 'item' })

    await adapter.release(connection)
    await adapter.close()
    assert.equal(exact, false)
    assert.match(reason ?? '', isRealMysql ? /grant REPLICATION CLIENT/ : /grant REPLICA MONITOR/)
  })

  test('is not exact for a table whose writes are no transactions', async () => {
    await primary.query('create table old_item (id bigint primary key) engine=MyISAM')

    const [old, current] = await Promise.all(
      ['old_item', 'item'].map((table) =>
        primary.withConnection((connection) => connection.settledUntil(0, { table })),
      ),
    )

    assert.deepEqual([old?.exact, current?.exact], [false, true])
    assert.match(old?.reason ?? '', /engine MyISAM/)
  })
})
