import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { TestMysqlServer } from '#test/services/mysql-process.ts'
import { isRealMysql, mysqlUnavailable, startMysqlServer } from '#test/services/mysql-server.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { type Harness, openHarness, runPipeline } from './harness.ts'

const source = database('hostile-source')
const target = database('hostile-target')

class Item extends source.table('item', { id: bigint().primaryKey(), label: text().nullable() }) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: varchar(50).nullable() }) {}

const transform = ({ id, label }: Item) => ({ id, label })
const whole = (partitionRows = 50_000): Pipeline =>
  pipeline('items', {
    extract: fullLoad(Item, { partitionRows }),
    transform,
    load: replace(Product),
  }) as unknown as Pipeline
const mirrored = pipeline('items', {
  extract: fullLoad(Item),
  transform,
  load: upsert(Product, { by: 'id' }),
  deletes: 'hard',
}) as unknown as Pipeline

const ROWS = 2_981

function values(): string {
  return Array.from({ length: ROWS }, (_, id) => `(${id + 1}, 'row ${id + 1}')`).join(', ')
}

const create = async () => {
  for (const model of [Item, Product] as unknown as ModelClass[]) await model.createTable()
  await source.query(`insert into item values ${values()}`)
}

describe('a source of PostgreSQL that shows less than it has', () => {
  let server: TestPostgres
  let harness: Harness
  let admin: string
  let role: string
  before(async () => {
    server = await startPostgres()
    harness = await openHarness()
    admin = await server.createDatabase()
    role = `reader_${new URL(admin).pathname.slice(1)}`
    process.env[urlVariable(source.name)] = admin
    process.env[urlVariable(target.name)] = await server.createDatabase()
    await create()
    await source.query(`create role ${role} login password 'reader'; grant select on item to ${role};
      alter table item enable row level security; create policy small on item using (id <= 92);
      create view seen with (security_invoker = true) as select * from item; grant select on seen to ${role}`)
    await source.close()
    const url = new URL(admin)
    url.username = role
    url.password = 'reader'
    process.env[urlVariable(source.name)] = url.href
  })
  after(async () => {
    await source.close()
    process.env[urlVariable(source.name)] = admin
    await source.query(`drop owned by ${role}; drop role ${role}`)
    await Promise.all([source.close(), target.close()])
    await server.stop()
    await harness.close()
  })

  for (const [what, of] of [
    ['a load that deletes', mirrored],
    ['a replace', whole()],
  ] as const) {
    test(`is refused at Plan, with the remedy: ${what}`, async () => {
      await assert.rejects(runPipeline(of, `run-${what}`.replaceAll(' ', '-'), harness.services), (error: Error) => {
        assert.match(error.message, /only the rows that a policy lets through.*BYPASSRLS/)
        return error.name === 'Terminal'
      })
      await harness.services.state.releaseLease('items', `run-${what}`.replaceAll(' ', '-'))
    })
  }

  test('is refused through a view, too, and where a pooler has dropped the setting of the session', async () => {
    await assert.rejects(source.query('select count(*) from seen'), { name: 'Terminal', message: /BYPASSRLS/ })

    const read = source.withConnection(async (connection) => {
      await connection.query('set row_security = on')
      try {
        for await (const _ of connection.copyOut('select * from item')) assert.fail('rows were read')
      } finally {
        await connection.query('set row_security = off')
      }
    })

    await assert.rejects(read, { name: 'Terminal', message: /BYPASSRLS/ })
  })
})

describe('a session of PostgreSQL', () => {
  test('outlives the limits of idle ones while another database is read', async () => {
    const server = await startPostgres()
    const url = await server.createDatabase()
    process.env[urlVariable(source.name)] = url
    const name = new URL(url).pathname.slice(1)
    await source.query(`alter database ${name} set idle_in_transaction_session_timeout = '100ms'`)
    await source.query(`alter database ${name} set idle_session_timeout = '100ms'`)
    await source.close()

    const answers = await source.withConnection(async (connection) => {
      await delay(300)
      const idle = await connection.query('select 1')
      await connection.begin('write')
      await delay(300)
      const inTransaction = await connection.query('select 2')
      await connection.commit()
      return [idle.rows, inTransaction.rows]
    })

    await source.close()
    await server.stop()
    assert.deepEqual(answers, [[['1']], [['2']]])
  })
})

describe('a server of MySQL whose settings change what is read', {
  skip: mysqlUnavailable ?? false,
}, () => {
  const HOSTILE = [
    'sql_select_limit = 1000',
    'max_join_size = 10',
    'sql_safe_updates = 1',
    'sql_auto_is_null = 1',
    "completion_type = 'CHAIN'",
    'net_write_timeout = 1',
    'net_read_timeout = 1',
    'wait_timeout = 1',
    'sql_notes = 0',
    'max_error_count = 0',
    ...(isRealMysql ? [] : ["system_versioning_asof = '2020-01-01 00:00:00'"]),
    `sql_mode = 'PAD_CHAR_TO_FULL_LENGTH,${isRealMysql ? 'TIME_TRUNCATE_FRACTIONAL' : 'EMPTY_STRING_IS_NULL'},STRICT_TRANS_TABLES'`,
  ]
  let server: TestMysqlServer
  let harness: Harness
  before(async () => {
    const started = await startMysqlServer({ arguments: [] })
    server = started
    process.env[urlVariable(source.name)] = await server.createDatabase()
    await source.query('select 1')
    for (const setting of HOSTILE) await source.query(`set global ${setting}`)
  })
  beforeEach(async () => {
    await Promise.all([source.close(), target.close()])
    await harness?.close()
    harness = await openHarness()
    for (const { name } of [source, target]) process.env[urlVariable(name)] = await server.createDatabase()
  })
  after(async () => {
    await Promise.all([source.close(), target.close()])
    await server?.stop()
    await harness?.close()
  })

  test('is read whole, in one partition and in several', async () => {
    await create()

    for (const partitionRows of [50_000, 500]) {
      const output = await runPipeline(whole(partitionRows), `run-${partitionRows}`, harness.services)

      assert.equal(output.read, ROWS)
      assert.equal(await Product.all().count(), ROWS)
      assert.equal((await Product.all().toArray()).length, ROWS)
    }
  })

  test('gives text as it is: char(n) without blanks, and an empty text that is not NULL', async () => {
    await source.query('create table padded (id bigint primary key, code char(10), label varchar(10))')
    await source.query('insert into padded values (?, ?, ?)', ['1', 'ab', ''])

    const { rows } = await source.query('select code, label from padded')

    assert.deepEqual(rows, [['ab', '']])
  })

  const withoutVersions = isRealMysql && 'tables of MySQL keep no former rows'
  test('gives the rows of now, where a table keeps its former ones', { skip: withoutVersions }, async () => {
    await source.query('create table versioned (id bigint primary key) with system versioning')
    await source.query('insert into versioned values (1)')

    assert.deepEqual((await source.query('select id from versioned')).rows, [['1']])
  })

  test('finds no row by IS NULL that has a value, and changes rows without a key in the condition', async () => {
    await source.query('create table numbered (id bigint auto_increment primary key, label text)')
    const found = await source.withConnection(async (connection) => {
      await connection.query("insert into numbered (label) values ('a')")
      await connection.query("update numbered set label = 'b'")
      return (await connection.query('select * from numbered where id is null')).rows
    })

    assert.deepEqual(found, [])
  })

  test('waits while another database is read', async () => {
    await create()
    const read = await source.withConnection(async (connection) => {
      let rows = 0
      await connection.begin('snapshot')
      for await (const page of connection.stream('select a.* from item a, item b limit 2000000', [], {
        pageRows: 500_000,
      })) {
        if (rows === 0) await delay(2_500)
        rows += page.length
      }
      await delay(1_500)
      await connection.query('select 1')
      await connection.commit()
      return rows
    })

    assert.equal(read, 2_000_000)
  })
})
