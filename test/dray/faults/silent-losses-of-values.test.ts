import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, decimal, double, integer, json, text, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import type { CommitOutput } from 'dray/internal/messages/stages.ts'
import { copyFields } from 'dray/internal/pipeline/declare/copy-fields.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { type Harness, openHarness, quarantined, runPipeline } from '#test/pipeline/harness.ts'
import { findMysqlServer, isRealMysql, mysqlUnavailable } from '#test/services/mysql-server.ts'
import { CHECK_VIOLATED } from '#test/services/mysql-speech.ts'
import { startPostgres } from '#test/services/postgres.ts'

/*
 * Silent losses of values and of refused rows that were seen in other tools, each as it was reported. All values are in
 * the value matrix, too (docs/types.md); here they go through a whole pipeline, and are compared as texts that the
 * target's server makes of them.
 */

const fromPostgres = database('value-losses-postgres')
const fromMysql = database('value-losses-mysql')
const target = database('value-losses-target')
const intoMysql = database('value-losses-into-mysql')

const fields = {
  id: bigint().primaryKey(),
  whole: bigint().nullable(),
  exact: decimal(38, 18).nullable(),
  rough: double().nullable(),
  small: integer().nullable(),
  words: text().nullable(),
  document: json().nullable(),
  moment: timestamp().nullable(),
}
class FromPostgres extends fromPostgres.table('item', fields) {}
class FromMysql extends fromMysql.table('item', fields) {}
class Product extends target.table('product', fields) {}
class MysqlProduct extends intoMysql.table('product', fields) {}

const all = { id: 'id', whole: 'whole', exact: 'exact', rough: 'rough', small: 'small', words: 'words' } as const
const taken = { ...all, document: 'document', moment: 'moment' } as const
const bySource = { postgres: FromPostgres, mysql: FromMysql }

function pipelineFrom(source: keyof typeof bySource): Pipeline {
  return pipeline('items', {
    extract: fullLoad(bySource[source]),
    transform: copyFields(bySource[source], taken) as never,
    load: upsert(Product, { by: 'id' }),
  }) as unknown as Pipeline
}

const skip = mysqlUnavailable ?? false
const databases: readonly Database[] = [fromPostgres, fromMysql, target, intoMysql]
let harness: Harness
let postgres: Awaited<ReturnType<typeof startPostgres>>
let mariadb: Awaited<ReturnType<typeof findMysqlServer>>

before(async () => {
  postgres = await startPostgres()
  mariadb = await findMysqlServer()
})
after(async () => {
  await Promise.all(databases.map((each) => each.close()))
  await harness?.close()
  await postgres?.stop()
  if (mariadb !== undefined && !('unavailable' in mariadb)) await mariadb.stop()
})
beforeEach(async () => {
  await Promise.all(databases.map((each) => each.close()))
  await harness?.close()
  harness = await openHarness()
  for (const each of [fromPostgres, target]) process.env[urlVariable(each.name)] = await postgres.createDatabase()
  const models = [FromPostgres, Product]
  if (!('unavailable' in mariadb)) {
    for (const each of [fromMysql, intoMysql]) process.env[urlVariable(each.name)] = await mariadb.createDatabase()
    models.push(FromMysql as never, MysqlProduct as never)
  }
  for (const model of models as unknown as ModelClass[]) await model.createTable()
})

const run = (source: keyof typeof bySource): Promise<CommitOutput> =>
  runPipeline(pipelineFrom(source), 'run-1', harness.services)

/** A column of the target as text, by id. */
async function landed(column: string): Promise<(string | null)[]> {
  return (await target.query(`select "${column}"::text from product order by id`)).rows.map(([value]) => value ?? null)
}

async function reasons(): Promise<string[]> {
  const rows = await quarantined(harness, 'run-1', 'items')
  return rows.map(({ row, errors }) => `${row.id}: ${errors[0]?.field} ${errors[0]?.code}`).sort()
}

describe('values that were lost in silence elsewhere are not lost', () => {
  test('airbyte#7871: NaN does not become NULL', async () => {
    await fromPostgres.query(
      "insert into item (id, rough, exact) values (1, 'NaN', 'NaN'), (2, 'Infinity', 1), (3, '-Infinity', null)",
    )

    await run('postgres')

    assert.deepEqual(await landed('rough'), ['NaN', 'Infinity', '-Infinity'])
    assert.deepEqual(await landed('exact'), ['NaN', '1.000000000000000000', null])
  })

  test('airbyte#38470: a numeric of all its digits does not become NULL', async () => {
    const digits = '12345678901234567890.123456789012345678'
    await fromPostgres.query(`insert into item (id, exact) values (1, ${digits}), (2, -0.000000000000000001)`)

    await run('postgres')

    assert.deepEqual(await landed('exact'), [digits, '-0.000000000000000001'])
  })

  test('airbyte#12057: a bigint does not pass through a double', async () => {
    const values = ['9223372036854775807', '-9223372036854775808', '9007199254740993']
    await fromPostgres.query(`insert into item (id, whole) values ${values.map((v, i) => `(${i}, ${v})`).join(', ')}`)

    await run('postgres')

    assert.deepEqual(await landed('whole'), values)
  })

  test("sling#349: '' does not become NULL, nor NULL ''", async () => {
    await fromPostgres.query("insert into item (id, words) values (1, ''), (2, null), (3, ' ')")

    await run('postgres')

    assert.deepEqual(await landed('words'), ['', null, ' '])
  })

  test('pgloader#1333, pgloader#792: a refused row takes no other with it, and is counted and kept', async () => {
    await target.query('alter table product add constraint no_hundreds check (id % 100 <> 0)')
    await fromPostgres.query("insert into item (id, words) select n, 'row ' || n from generate_series(1, 1000) as g(n)")

    const output = await run('postgres')

    assert.deepEqual([output.read, output.inserted, output.quarantined], [1000, 990, 10])
    assert.equal((await landed('id')).length, 990)
    assert.deepEqual(
      await reasons(),
      [100, 1000, 200, 300, 400, 500, 600, 700, 800, 900].map((id) => `${id}:  23514`).sort(),
    )
  })

  test('COMMIT of a transaction in which a statement had failed is answered with ROLLBACK, and says so', async () => {
    const adapter = await target.adapter()
    const connection = await adapter.acquire()
    try {
      await connection.begin('write')
      await connection.query('insert into product (id) values (1)')
      await assert.rejects(connection.query('insert into product (id) values (1)'))

      await assert.rejects(connection.commit(), { name: 'Transient' })
    } finally {
      await adapter.release(connection, true)
    }
    assert.deepEqual(await landed('id'), [])
  })
})

describe('values of MySQL that were lost in silence elsewhere are not lost', { skip }, () => {
  test('airbyte#76180: tinyint(1) is a number where the model says so', async () => {
    await fromMysql.query('alter table item modify small tinyint(1)')
    await fromMysql.query('insert into item (id, small) values (1, 0), (2, 1), (3, 2), (4, 127), (5, -128)')

    await run('mysql')

    assert.deepEqual(await landed('small'), ['0', '1', '2', '127', '-128'])
  })

  test('airbyte#65082: a zero date is quarantined, and does not become NULL', async () => {
    await fromMysql.query(
      isRealMysql
        ? "insert /*+ SET_VAR(sql_mode='ALLOW_INVALID_DATES') */ into item (id, moment) values (1, '0000-00-00 00:00:00')"
        : "set statement sql_mode = '' for insert into item (id, moment) values (1, '0000-00-00 00:00:00')",
    )
    await fromMysql.query("insert into item (id, moment) values (2, '2024-01-01 00:00:00.000001')")

    await run('mysql')

    assert.deepEqual(await landed('id'), ['2'])
    assert.deepEqual(await reasons(), ['1: moment invalid_timestamp'])
  })

  test('node-mysql2#1624: a bigint inside JSON keeps its digits', async () => {
    const document = '{"id": 9223372036854775807, "price": 0.10000000000000000001}'
    await fromMysql.query(`insert into item (id, document) values (1, '${document}')`)

    await run('mysql')

    assert.deepEqual(await landed('document'), [document])
  })

  test('sling#710: a NUL, which PostgreSQL cannot hold, is quarantined and not cut', async () => {
    await fromMysql.query("insert into item (id, words) values (1, 'a'), (2, concat('b', char(0), 'c')), (3, 'd')")

    await run('mysql')

    assert.deepEqual(await landed('words'), ['a', 'd'])
    const [kept] = await quarantined(harness, 'run-1', 'items')
    assert.deepEqual([kept?.row.id, kept?.row.words], ['2', 'b\0c'])
  })

  test('a violated CHECK (4025 of MariaDB, which its client names wrongly) is a row that is quarantined alone', async () => {
    await intoMysql.query('alter table product add constraint small check (whole < 3)')
    await fromPostgres.query('insert into item (id, whole) values (1, 1), (2, 2), (3, 3)')
    const into = pipeline('items', {
      extract: fullLoad(FromPostgres),
      transform: copyFields(FromPostgres, taken) as never,
      load: upsert(MysqlProduct, { by: 'id' }),
    }) as unknown as Pipeline

    const output = await runPipeline(into, 'run-1', harness.services)

    assert.deepEqual([output.inserted, output.quarantined], [2, 1])
    assert.match((await reasons())[0] ?? '', new RegExp(`^3: .*${CHECK_VIOLATED}$`))
  })
})
