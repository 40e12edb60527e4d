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
import { giveToServer } from '#test/contracts/hostile-databases.ts'
import { MYSQL_HOSTILE, POSTGRES_HOSTILE } from '#test/contracts/hostile-settings.ts'
import { blocksOf } from '#test/database/mysql/opened-server.ts'
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
/** For each test two. */
const DATABASES = 24

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

describe('a database of PostgreSQL whose settings change what is read and written', () => {
  let server: TestPostgres
  before(async () => {
    server = await startPostgres()
    const url = await server.createDatabase()
    process.env[urlVariable(source.name)] = url
    for (const { name, value } of POSTGRES_HOSTILE) {
      const limit = name.endsWith('_timeout') ? "'200ms'" : value
      await source.query(`alter database ${new URL(url).pathname.slice(1)} set ${name} = ${limit}`)
    }
    await source.close()
  })
  after(async () => {
    await source.close()
    await server.stop()
  })

  test('lets a statement and a transaction take their time', async () => {
    await source.query('select pg_sleep(0.4)')
    await source.withConnection(async (connection) => {
      await connection.begin('write')
      await connection.query('select pg_sleep(0.4)')
      await connection.commit()
    })
  })

  test('finds no row by a value that is NULL', async () => {
    await source.query('create table empty (v text)')
    await source.query('insert into empty values (null)')

    const read = await source.withConnection(async (connection) => {
      const blocks = []
      for await (const block of connection.copyOut('select 1 from empty where v = $1', [null])) blocks.push(block)
      return blocks
    })

    assert.deepEqual(read, [])
  })

  test('keeps a NULL in an array, and a backslash in a literal', async () => {
    await source.query('create table listed (list text[])')
    await source.query('insert into listed values ($1)', ['{a,NULL}'])

    const { rows } = await source.query("select list[2] is null, 'a\\n' from listed")

    assert.deepEqual(rows, [['t', 'a\\n']])
  })

  test('gives every row that an index finds', async () => {
    await source.query('create table tagged (id bigint primary key, tags text[])')
    await source.query("insert into tagged select n, array['a'] from generate_series(1, 3000) n")
    await source.query('create index on tagged using gin (tags)')
    await source.query('analyze tagged')

    const { rows } = await source.query("select count(*) from tagged where tags @> array['a']")

    assert.deepEqual(rows, [['3000']])
  })

  test('takes an error for an error, and goes on', async () => {
    await source.withConnection(async (connection) => {
      await assert.rejects(connection.query('select 1 / 0'), /division by zero/)

      assert.deepEqual((await connection.query('select 1')).rows, [['1']])
    })
  })
})

describe('a server of MySQL whose settings change what is read', {
  skip: mysqlUnavailable ?? false,
}, () => {
  const padding = `PAD_CHAR_TO_FULL_LENGTH,${isRealMysql ? 'TIME_TRUNCATE_FRACTIONAL' : 'EMPTY_STRING_IS_NULL'}`
  const hostile = [...MYSQL_HOSTILE, { name: 'sql_mode', value: `'${padding},STRICT_TRANS_TABLES'` }]
  /** Made beforehand, since the settings allow nobody else to do so. */
  const urls: string[] = []
  let server: TestMysqlServer
  let harness: Harness
  before(async () => {
    const started = await startMysqlServer({ arguments: [] })
    server = started
    for (let made = 0; made < DATABASES; made++) urls.push(await started.createDatabase())
    await giveToServer(server.url, hostile)
  })
  beforeEach(async () => {
    await Promise.all([source.close(), target.close()])
    await harness?.close()
    harness = await openHarness()
    for (const { name } of [source, target]) process.env[urlVariable(name)] = urls.pop() as string
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

  test('is merged into and has rows deleted, though each table is to have a primary key', async () => {
    await create()
    await runPipeline(mirrored, 'run-1', harness.services)
    await source.query("update item set label = 'other' where id < 100")
    await source.query('delete from item where id > 2900')

    const { updated } = await runPipeline(mirrored, 'run-2', harness.services)

    assert.equal(updated, 99)
    assert.equal(await Product.all().count(), 2900)
  })

  test('keeps its foreign keys, unique keys and checks', async () => {
    await target.query('create table parent (id bigint primary key) engine=InnoDB')
    await target.query(`create table child (id bigint primary key, code varchar(9) unique, parent bigint,
      foreign key (parent) references parent (id), constraint small check (id < 9)) engine=InnoDB`)
    const merged = await target.withConnection(async (connection) => {
      await connection.begin('write')
      const rows = [
        ['1', 'a', null],
        ['2', 'b', '7'],
        ['3', 'a', null],
        ['9', 'c', null],
      ]
      const into = { table: 'child', columns: ['id', 'code', 'parent'], key: ['id'] }
      const result = await connection.merge(into, () => blocksOf(rows))
      await connection.commit()
      return result
    })

    assert.deepEqual(
      merged.rejected.map(({ row }) => row),
      [1, 2, 3],
    )
  })

  test('has tables made with transactions', async () => {
    await Product.createTable()

    const { rows } = await target.query(
      "select engine from information_schema.tables where table_schema = database() and table_name = 'product'",
    )
    assert.deepEqual(rows, [['InnoDB']])
  })

  test('gives nothing that is not committed', async () => {
    await create()
    const other = await source.withConnection(async (connection) => {
      await connection.begin('write')
      await connection.query("insert into item values (100000, 'not yet')")
      const seen = await Item.where({ id: 100_000n }).count()
      await connection.rollback()
      return seen
    })

    assert.equal(other, 0)
  })

  test('refuses NULL where a TIMESTAMP would take it for the time of day', async () => {
    for (const [table, more] of [
      ['straight', ''],
      ['staged', ', small float'],
    ] as const) {
      await target.query(
        `create table ${table} (id bigint primary key, at timestamp not null default '2020-01-01 00:00:00'${more}) engine=InnoDB`,
      )
      const rejected = await target.withConnection(async (connection) => {
        await connection.begin('write')
        const columns = ['id', 'at', ...(more === '' ? [] : ['small'])]
        const rows = [
          ['1', '2024-01-01 00:00:00', '1'].slice(0, columns.length),
          ['2', null, '1'].slice(0, columns.length),
        ]
        const result = await connection.merge({ table, columns, key: ['id'] }, () => blocksOf(rows))
        await connection.commit()
        return result.rejected.map(({ row, code }) => [row, code])
      })

      assert.deepEqual(rejected, [[1, '1048']], table)
      assert.deepEqual((await target.query(`select id from ${table}`)).rows, [['1']])
    }
  })

  test('finds the last row of a key among texts that begin alike', async () => {
    await target.query('create table named (name varchar(500) collate utf8mb4_bin primary key, v bigint) engine=InnoDB')
    const long = 'x'.repeat(200)
    const rows = Array.from({ length: 300 }, (_, n) => [`${long}${(n * 7) % 100}`, String(n)])
    await target.withConnection(async (connection) => {
      await connection.begin('write')
      await connection.merge({ table: 'named', columns: ['name', 'v'], key: ['name'] }, () => blocksOf(rows))
      await connection.commit()
    })

    const { rows: held } = await target.query('select count(*), min(v) from named')
    assert.deepEqual(held, [['100', '200']])
  })

  test('lets a statement take its time', async () => {
    const limit = isRealMysql
      ? { name: 'max_execution_time', value: '200' }
      : { name: 'max_statement_time', value: '0.2' }
    await giveToServer(server.url, [limit])

    const { rows } = await source.query('select sleep(0.5)')

    assert.deepEqual(rows, [['0']])
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
