import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Adapter, Connection, MergeTarget } from 'dray/internal/database/adapter.ts'
import { createPostgresAdapter } from 'dray/internal/database/postgres/index.ts'
import { blocksOf } from '#test/contracts/adapter.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { directly } from './io.ts'
import { SimulatedDatabase } from './memory-adapter.ts'
import { MemoryDatabase } from './memory-database.ts'

/** Long enough for a statement that does not wait. */
const A_WHILE = 150

async function isWaiting(work: Promise<unknown>): Promise<boolean> {
  let settled = false
  const done = () => {
    settled = true
  }
  work.then(done, done)
  await delay(A_WHILE)
  return !settled
}

/** What the simulation rests on: the same tests on PostgreSQL and on its stand-in. */
function concurrencySuite(title: string, open: () => Promise<Adapter>): void {
  describe(`${title}, where transactions meet`, () => {
    let adapter: Adapter
    let one: Connection
    let other: Connection
    const value = async (connection: Connection, lock = '') =>
      (await connection.query(`select "v" from "t" where "id" = $1${lock}`, ['1'])).rows[0]?.[0]
    const set = (connection: Connection, text: string) =>
      connection.query('update "t" set "v" = $1 where "id" = $2', [text, '1'])
    const insert = (connection: Connection, id: string) =>
      connection.query('insert into "t" ("id", "v", "n") values ($1, $2, $3)', [id, 'new', '1'])

    before(async () => {
      adapter = await open()
      one = await adapter.acquire()
      other = await adapter.acquire()
      await one.query(
        'create table "t" ("id" bigint not null, "v" varchar(8) not null, "n" bigint, primary key ("id"))',
      )
      await insert(one, '1')
    })
    after(async () => {
      await adapter.release(one)
      await adapter.release(other)
      await adapter.close()
    })

    test('what is not committed is not seen, what is committed is seen at once', async () => {
      await one.begin('write')
      await set(one, 'a')
      const during = [await value(one), await value(other)]
      await one.commit()

      assert.deepEqual([...during, await value(other)], ['a', 'new', 'a'])
    })

    test('a snapshot keeps what it saw first', async () => {
      await one.begin('snapshot')
      const first = await value(one)
      await set(other, 'b')
      const second = await value(one)
      await one.commit()

      assert.deepEqual([first, second, await value(one)], ['a', 'a', 'b'])
    })

    test('a row that is held for share is changed only after the commit', async () => {
      await one.begin('write')
      await value(one, ' for share')
      const change = set(other, 'c')
      const waited = await isWaiting(change)
      await one.commit()
      await change

      assert.equal(waited, true)
      assert.equal(await value(one), 'c')
    })

    test('two may hold a row for share', async () => {
      await one.begin('write')
      await other.begin('write')

      assert.deepEqual([await value(one, ' for share'), await value(other, ' for share')], ['c', 'c'])
      await one.commit()
      await other.commit()
    })

    test('who waits for a lock reads what the other has committed', async () => {
      await one.begin('write')
      await set(one, 'd')
      await other.begin('write')
      const read = value(other, ' for share')
      const waited = await isWaiting(read)
      await one.commit()

      assert.deepEqual([waited, await read], [true, 'd'])
      await other.commit()
    })

    test('the second of two equal keys waits, and is refused when the first is committed', async () => {
      await one.begin('write')
      await insert(one, '2')
      const second = insert(other, '2').catch((error: unknown) => adapter.translate(error))
      const waited = await isWaiting(second)
      await one.commit()

      assert.deepEqual([waited, ((await second) as Error).name], [true, 'DataQuality'])
    })

    test('the second of two equal keys is written when the first is rolled back', async () => {
      await one.begin('write')
      await insert(one, '3')
      const second = insert(other, '3')
      const waited = await isWaiting(second)
      await one.rollback()

      assert.deepEqual([waited, (await second).affected], [true, 1])
    })

    test('of two that wait for each other one is told to try again', async () => {
      const update = (connection: Connection, id: string) =>
        connection.query('update "t" set "v" = $1 where "id" = $2', ['x', id])
      await one.begin('write')
      await other.begin('write')
      await update(one, '1')
      await update(other, '2')

      const both = await Promise.allSettled(
        [update(one, '2'), delay(20).then(() => update(other, '1'))].map((each, at) =>
          each.catch(async (error: unknown) => {
            await (at === 0 ? one : other).rollback()
            throw adapter.translate(error)
          }),
        ),
      )

      const failed = both.filter((each) => each.status === 'rejected')
      assert.deepEqual(
        failed.map(({ reason }) => reason.name),
        ['Transient'],
      )
      await Promise.all([one, other].map((each) => each.rollback().catch(() => {})))
    })

    test('a failed statement spoils the transaction, unless there is a savepoint', async () => {
      await one.begin('write')
      await one.savepoint('before')
      await assert.rejects(insert(one, '1'))
      await one.rollbackTo('before')
      await set(one, 'saved')
      await one.commit()
      await one.begin('write')
      await set(one, 'lost')
      await assert.rejects(insert(one, '1'))

      await assert.rejects(one.commit(), { name: 'Transient' })
      await one.rollback().catch(() => {})
      assert.equal(await value(other), 'saved')
    })

    test('nothing is settled past a transaction that is open', async () => {
      await one.begin('write')
      await value(one)
      const start = (await other.query('select clock_timestamp()')).rows[0]?.[0] as string
      await delay(20)
      const during = await other.settledUntil(0)
      await one.commit()
      const afterwards = await other.settledUntil(0)

      assert.ok(during.until.slice(0, 19) <= start.slice(0, 19), `${during.until} is after ${start}`)
      assert.ok(afterwards.until > during.until)
    })

    const next = 't__dray_next'
    const createNext = (connection: Connection) =>
      connection.query(
        `create table "${next}" (like "t" including all excluding comments excluding statistics excluding storage)`,
      )
    const ids = async (connection: Connection) =>
      (await connection.query('select "id" from "t" order by "id"')).rows.map(([id]) => id)

    test('a table that is made like another one is dropped only when nobody who has touched it is at work', async () => {
      await createNext(one)
      const [like, made] = [await one.describe('t'), await one.describe(next)]
      await one.begin('write')
      await one.merge({ table: next, columns: ['id', 'v', 'n'], key: ['id'] }, blocksOf([['7', 'x', '1']]))
      const drop = other.query(`drop table if exists "${next}"`)
      const waited = await isWaiting(drop)
      await one.commit()
      await drop

      assert.deepEqual([made?.columns, made?.primaryKey, waited], [like?.columns, like?.primaryKey, true])
      assert.equal(await one.describe(next), null)
      await other.query(`drop table if exists "${next}"`)
      await assert.rejects(
        one.query(`select count(*) from "${next}"`).catch((error: unknown) => Promise.reject(adapter.translate(error))),
        { name: 'Terminal' },
      )
    })

    test('rows are put in the place of others at once', async () => {
      await createNext(one)
      await one.query(`insert into "${next}" ("id", "v", "n") values ('8', 'x', '1'), ('9', 'x', '1')`)
      const before = await ids(other)
      await one.begin('write')
      await one.query('delete from "t"')
      const { affected } = await one.query(
        `insert into "t" ("id", "v", "n") overriding system value select "id", "v", "n" from "${next}"`,
      )
      const during = await ids(other)
      await one.commit()
      await one.query(`drop table if exists "${next}"`)

      assert.deepEqual([during, affected, await ids(other)], [before, 2, ['8', '9']])
    })

    test('texts come in the order of their bytes, and a merge without a key inserts each row', async () => {
      await one.query('create table "u" ("v" text not null)')
      await one.begin('write')
      const rows = ['b', 'B', 'ä', 'b'].map((text) => [text])
      const result = await one.merge({ table: 'u', columns: ['v'], key: [], mode: 'insert' }, blocksOf(rows))
      await one.commit()
      const sorted = await one.query('select "v" from "u" order by cast("v" as text) collate "C"')

      assert.deepEqual([result.inserted, result.duplicate], [4, 0])
      assert.deepEqual(sorted.rows.flat(), ['B', 'b', 'b', 'ä'])
    })

    test('a merge takes the last of a key, leaves equal and newer rows alone, and refuses rows alone', async () => {
      await one.query('delete from "t"')
      const target: MergeTarget = { table: 't', columns: ['id', 'v', 'n'], key: ['id'], version: 'n' }
      const merge = async (rows: string[][]) => {
        await one.begin('write')
        const result = await one.merge(target, blocksOf(rows))
        await one.commit()
        return { ...result, rejected: result.rejected.map(({ row }) => row) }
      }

      const first = await merge([
        ['1', 'first', '5'],
        ['2', 'b', '5'],
        ['1', 'last', '5'],
        ['3', 'far too long', '5'],
      ])
      const second = await merge([
        ['1', 'last', '5'],
        ['2', 'older', '4'],
        ['4', 'd', '1'],
      ])

      assert.deepEqual(first, { inserted: 2, updated: 0, unchanged: 0, duplicate: 1, rejected: [3] })
      assert.deepEqual(second, { inserted: 1, updated: 0, unchanged: 2, duplicate: 0, rejected: [] })
      const { rows } = await other.query('select "id", "v" from "t" order by "id"')
      assert.deepEqual(rows, [
        ['1', 'last'],
        ['2', 'b'],
        ['4', 'd'],
      ])
    })
  })
}

let server: TestPostgres
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

concurrencySuite('PostgreSQL', async () =>
  createPostgresAdapter({ name: 'simulated', url: await server.createDatabase(), maxConnections: 3 }),
)
concurrencySuite('its stand-in in memory', () => {
  const database = new SimulatedDatabase('stand-in')
  database.connect(new MemoryDatabase({ now: Date.now, exact: true, check: () => null, onCommit: () => {} }), directly)
  return database.adapter()
})
