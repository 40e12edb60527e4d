import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import {
  bigint,
  boolean,
  date,
  decimal,
  text,
  timestamp,
  uuid,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import { dateOf, decimalOf, timestampOf } from 'dray/internal/active-record/values.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { copyFields } from 'dray/internal/pipeline/declare/copy-fields.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import type { TestMysqlServer } from '#test/services/mysql-process.ts'
import { mysqlUnavailable, startMysqlServer } from '#test/services/mysql-server.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { type Harness, openHarness, runPipeline } from './harness.ts'

const source = database('digests-source')
const target = database('digests-target')

const fields = {
  id: bigint().primaryKey(),
  label: text().nullable(),
  name: varchar(50).nullable(),
  price: decimal(20, 4).nullable(),
  day: date().nullable(),
  isOpen: boolean().nullable(),
  at: timestamp().nullable(),
  token: uuid().nullable(),
}
class Item extends source.table('item', fields) {}
class Copy extends target.table('copy', fields) {}

const taken = {
  id: 'id',
  label: 'label',
  name: 'name',
  price: 'price',
  day: 'day',
  isOpen: 'isOpen',
  at: 'at',
} as const
const copying = pipeline('items', {
  extract: fullLoad(Item),
  transform: copyFields(Item, { ...taken, token: 'token' }),
  load: upsert(Copy, { by: 'id' }),
})

/** Values that engines write in ways of their own. */
const rows = Array.from({ length: 50 }, (_, index) => ({
  id: BigInt(index - 5) * 1_000_000_007n,
  label: index % 7 ? `é😀\t\n'"\\${index}` : null,
  name: ` x ${index} `,
  price: decimalOf(index % 3 ? `${index}.5000` : `-${index}00`),
  day: dateOf('0001-01-01'),
  isOpen: index % 2 > 0,
  at: timestampOf(index % 2 ? '9999-12-31 23:59:59.999999' : '1970-01-01 00:00:00'),
  token: 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
}))

describe('digests', { skip: mysqlUnavailable ?? false }, () => {
  let postgres: TestPostgres
  let mysql: TestMysqlServer
  let harness: Harness

  before(async () => {
    postgres = await startPostgres()
    const server = await startMysqlServer()
    mysql = server
    harness = await openHarness()
  })
  after(async () => {
    await Promise.all([source.close(), target.close()])
    await Promise.all([postgres?.stop(), mysql?.stop(), harness?.close()])
  })

  for (const from of ['postgres', 'mysql'] as const) {
    test(`of the same rows are the same on PostgreSQL and MariaDB, read from ${from}`, async () => {
      await Promise.all([source.close(), target.close()])
      const [one, other] = from === 'postgres' ? [postgres, mysql] : [mysql, postgres]
      process.env[urlVariable(source.name)] = await one.createDatabase()
      process.env[urlVariable(target.name)] = await other.createDatabase()
      await Item.createTable()
      await Copy.createTable()
      await Item.insertAll(rows)
      await runPipeline(copying, `run-${from}`, harness.services)

      const whole = await reconcile(copying, harness.services, { rangeRows: 10 })
      await target.query("update copy set name = 'x 8 ' where name = ' x 8 '")
      const damaged = await reconcile(copying, harness.services, { rangeRows: 10 })

      assert.deepEqual([whole.equalByDigest, whole.rowsCompared], [whole.ranges, 0])
      assert.deepEqual(damaged.counts, { missing: 0, extra: 0, different: 1 })
      assert.deepEqual(damaged.differences[0]?.columns, ['name'])
    })
  }
})
