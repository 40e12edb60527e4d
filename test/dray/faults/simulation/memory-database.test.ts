import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Adapter, Connection, MergeTarget } from 'dray/internal/database/adapter.ts'
import { createPostgresAdapter } from 'dray/internal/database/postgres/index.ts'
import { blocksOf } from '#test/contracts/adapter.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { directly } from './io.ts'
import { SimulatedDatabase } from './memory-adapter.ts'
import { MemoryDatabase, type MemoryDatabaseOptions } from './memory-database.ts'
import type { Row } from './memory-transaction.ts'

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
function concurrencySuite(
  title: string,
  open: () => Promise<Adapter>,
  /** Has the table "d" drop rows whose "v" says so, and keep them from being deleted. */
  drop: (connection: Connection) => Promise<void>,
): void {
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

    test('a merge does not keep an older row back from one that is marked as deleted', async () => {
      await one.query('create table "m" ("id" bigint not null, "n" bigint, "at" timestamp, primary key ("id"))')
      await one.query('insert into "m" ("id", "n", "at") values (1, 5, \'2024-01-01 00:00:00\'), (2, 5, null)')
      await one.begin('write')
      const mark = { column: 'at', isFlag: false }
      const target: MergeTarget = { table: 'm', columns: ['id', 'n', 'at'], key: ['id'], version: 'n', mark }
      const { updated, unchanged } = await one.merge(
        target,
        blocksOf([
          ['1', '4', null],
          ['2', '4', null],
        ]),
      )
      await one.commit()

      const { rows } = await other.query('select "id", "n", "at" from "m" order by "id"')
      assert.deepEqual(
        [updated, unchanged, rows],
        [
          1,
          1,
          [
            ['1', '4', null],
            ['2', '5', null],
          ],
        ],
      )
    })

    test('capitals make no difference in a key that says so, and a row in other ones is kept out or takes the place', async () => {
      await one.query('create table "c" ("k" citext not null, "v" varchar(8), primary key ("k"))')
      const target: MergeTarget = { table: 'c', columns: ['k', 'v'], key: ['k'] }
      const merge = async (rows: string[][], respell: boolean) => {
        await one.begin('write')
        const { inserted, updated, rejected } = await one.merge({ ...target, respell }, blocksOf(rows))
        const held = await one.holdKeys(target, blocksOf(rows.map(([key = '']) => [key])))
        const { rows: counted } = await one.query(`select count(*) from "c" where ${held.isHeld}`)
        await one.commit()
        return [inserted, updated, rejected.map(({ row, code }) => [row, code]), counted[0]?.[0]]
      }

      const first = await merge([['Ann', '1'], ['bob', '1'], ['Bob', '2']], false) // biome-ignore format: one row a key
      const kept = await merge([['ANN', '2']], false)
      const respelled = await merge([['ANN', '2']], true)

      assert.deepEqual(first, [1, 0, [[1, 'spelling'], [2, 'spelling']], '1']) // biome-ignore format: one row a place
      assert.deepEqual(kept, [0, 0, [[0, 'spelling']], '1'])
      assert.deepEqual(respelled, [0, 1, [], '1'])
      assert.deepEqual((await other.query('select "k", "v" from "c" where "k" = $1', ['ann'])).rows, [['ANN', '2']])
    })

    test('rows of a merge take over unique values from each other, in a ring as well, and from no other row', async () => {
      await one.query('create table "w" ("k" text not null, "v" varchar(8), unique ("v"), primary key ("k"))')
      const target: MergeTarget = { table: 'w', columns: ['k', 'v'], key: ['k'] }
      const merge = async (rows: string[][]) => {
        await one.begin('write')
        const { inserted, updated, rejected } = await one.merge(target, blocksOf(rows))
        await one.commit()
        return [inserted, updated, rejected.map(({ row, code }) => [row, code])]
      }
      await merge(['a', 'b', 'c', 'd', 'e'].map((key) => [key, `of ${key}`]))

      const ring = await merge([
        ['a', 'of b'],
        ['b', 'of a'],
        ['f', 'of c'],
        ['c', 'new'],
        ['g', 'of e'],
      ])

      assert.deepEqual(ring, [1, 3, [[4, '23505']]])
      const { rows } = await other.query('select "v" from "w" order by "k"')
      assert.deepEqual(rows.flat(), ['of b', 'of a', 'new', 'of d', 'of e', 'of c'])
    })

    test('rows that the database drops are rejected, and those that it keeps are not counted as deleted', async () => {
      await one.query('create table "d" ("k" text not null, "v" varchar(8), primary key ("k"))')
      await one.query('insert into "d" ("k", "v") values ($1, $2)', ['z', 'kept'])
      await drop(one)
      await one.begin('write')
      const target: MergeTarget = { table: 'd', columns: ['k', 'v'], key: ['k'] }
      const merged = await one.merge(target, blocksOf([['a', 'a'], ['b', 'dropped'], ['z', 'dropped']])) // biome-ignore format: one row a key
      await one.commit()

      const { affected } = await one.query('delete from "d"')

      assert.deepEqual([merged.inserted, merged.updated, affected], [1, 0, 1])
      assert.deepEqual(
        merged.rejected.map(({ row, code }) => [row, code]),
        [
          [1, 'dropped'],
          [2, 'dropped'],
        ],
      )
      assert.deepEqual((await other.query('select "k", "v" from "d"')).rows, [['z', 'kept']])
    })
  })
}

/** What is in a backup of the stand-in, who is connected when it is put back, and what a replica has replayed. */
describe('the stand-in in memory', () => {
  const open = async (options: Partial<MemoryDatabaseOptions> = {}) => {
    const memory = new MemoryDatabase({
      now: () => time,
      exact: true,
      check: () => null,
      onCommit: () => {},
      ...options,
    })
    const database = new SimulatedDatabase('stand-in')
    database.connect(memory, directly)
    const adapter = await database.adapter()
    const connection = await adapter.acquire()
    await connection.query('create table "t" ("id" bigint not null, primary key ("id"))')
    const ids = async () => (await (await adapter.acquire()).query('select "id" from "t" order by "id"')).rows.flat()
    return { memory, connection, ids }
  }
  let time = 1_000

  test('goes back to a backup, and cuts off who is connected', async () => {
    const { memory, connection, ids } = await open()
    await connection.query('insert into "t" ("id") values ($1)', ['1'])
    const backup = memory.backUp()
    await connection.query('insert into "t" ("id") values ($1)', ['2'])
    await connection.begin('write')
    await connection.query('delete from "t"')

    memory.restore(backup)

    await assert.rejects(connection.commit(), { name: 'Transient' })
    assert.deepEqual(await ids(), ['1'])
    assert.equal(memory.openTransactions + memory.locks.size, 0)
  })

  test('shows a reader what a replica has replayed', async () => {
    let replayed = 1_000
    const { connection, ids } = await open({ replayedUntil: () => replayed })
    await connection.query('insert into "t" ("id") values ($1)', ['1'])
    time = 2_000
    await connection.query('insert into "t" ("id") values ($1)', ['2'])

    const before = await ids()
    replayed = 2_000

    assert.deepEqual([before, await ids()], [['1'], ['1', '2']])
  })
})

const TRAP = `
  create function drop_row() returns trigger language plpgsql as $$ begin
    if tg_op = 'DELETE' then return case when old.v = 'kept' then null else old end; end if;
    return case when new.v = 'dropped' then null else new end; end $$;
  create trigger drop_row before insert or update or delete on "d" for each row execute function drop_row()`

let server: TestPostgres
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

concurrencySuite(
  'PostgreSQL',
  async () => {
    const url = await server.createDatabase()
    const adapter = await createPostgresAdapter({ name: 'simulated', url, maxConnections: 3 })
    const connection = await adapter.acquire()
    await connection.query('create extension citext')
    await adapter.release(connection)
    return adapter
  },
  async (connection) => {
    for (const statement of TRAP.split(/;(?=\n {2}create trigger)/)) await connection.query(statement)
  },
)
concurrencySuite(
  'its stand-in in memory',
  () => {
    const drops = (table: string, { v }: Row, isDeleted: boolean) =>
      table === 'd' && v === (isDeleted ? 'kept' : 'dropped')
    const database = new SimulatedDatabase('stand-in')
    const options = { now: Date.now, exact: true, check: () => null, onCommit: () => {}, drops }
    database.connect(new MemoryDatabase(options), directly)
    return database.adapter()
  },
  async () => {},
)
