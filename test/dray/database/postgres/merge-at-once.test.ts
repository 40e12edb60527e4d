import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import type { PostgresConnection } from 'dray/internal/database/postgres/connection.ts'
import { copyIn } from 'dray/internal/database/postgres/copy-in.ts'
import { createPostgresAdapter } from 'dray/internal/database/postgres/index.ts'
import type { MergeCounts } from 'dray/internal/database/postgres/merge/counts.ts'
import { mergeAtOnce } from 'dray/internal/database/postgres/merge/merge-at-once.ts'
import { narrowColumns } from 'dray/internal/database/postgres/merge/narrow-columns.ts'
import type { MergeSession } from 'dray/internal/database/postgres/merge/session.ts'
import { readTargetTable } from 'dray/internal/database/postgres/merge/target-table.ts'
import { blocksOf } from '#test/contracts/adapter.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'

let server: TestPostgres
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

const COLUMNS = ['id', 'amount', 'free', 'size', 'name', 'loose', 'doc', 'at'] as const
const TABLE = `CREATE TABLE facts (id bigint PRIMARY KEY, amount numeric(12,2), free numeric, size double precision, name text,
  loose text COLLATE loose, doc json, at timestamptz NOT NULL)`

type Row = readonly Text[]
const rowOf = (id: number, change: Partial<Record<(typeof COLUMNS)[number], Text>> = {}): Row => {
  const row = {
    id: String(id),
    amount: '1.50',
    free: '1.0',
    size: '0',
    name: 'ä',
    loose: 'a',
    doc: '{"a":1}',
    at: '2024-01-01 00:00:00+00',
    ...change,
  }
  return COLUMNS.map((column) => row[column])
}
const rows = (count: number, of: (id: number) => Row = rowOf) =>
  Array.from({ length: count }, (_, index) => of(index + 1))

interface Options {
  readonly serverVersion?: number
  readonly version?: string
}

/** Merges in a transaction of its own; also says what the server was asked. */
async function merged(connection: PostgresConnection, given: readonly Row[], options: Options = {}) {
  const asked: string[] = []
  let names = 0
  const session: MergeSession = {
    async run(sql, parameters) {
      asked.push(sql)
      const { rows: found, affected } = await connection.query(sql, parameters)
      return { rows: found, rowCount: affected }
    },
    copyIn: (sql, chunks) => copyIn(connection.session, sql, chunks),
    name: (purpose) => `"test_${purpose}_${++names}"`,
    inTransaction: () => true,
    place: connection.session.place,
  }
  const { version } = options
  const target = { table: 'facts', columns: COLUMNS, key: ['id'], ...(version === undefined ? {} : { version }) }
  const found = await readTargetTable(async (sql, values) => (await connection.query(sql, values)).rows, target)
  const table = { ...found, serverVersion: options.serverVersion ?? found.serverVersion }
  await connection.begin('write')
  const counts = await mergeAtOnce(session, { target, table, narrow: narrowColumns(table) }, blocksOf(given))
  const memory = (await connection.query("SELECT current_setting('work_mem')")).rows[0]?.[0]
  await connection.commit()
  return { counts: counts as MergeCounts, asked: asked.join('\n'), memory }
}

async function withTable(work: (connection: PostgresConnection) => Promise<void>): Promise<void> {
  const adapter = createPostgresAdapter({ name: 'warehouse', url: await server.createDatabase() })
  const connection = (await adapter.acquire()) as PostgresConnection
  try {
    await connection.query("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)")
    await connection.query(TABLE)
    await work(connection)
  } finally {
    await adapter.release(connection)
    await adapter.close()
  }
}

const held = async (connection: PostgresConnection, what: string) =>
  (await connection.query(`SELECT ${what} FROM facts`)).rows[0]

for (const [name, serverVersion, word] of [
  ['by one join', 180_000, 'MERGE INTO'],
  ['by two, on a server whose MERGE does not say what it did', 160_000, 'UPDATE'],
] as const) {
  describe(`rows in a temporary table, merged ${name}`, () => {
    test('are inserted, updated and left alone, with exact counts', () =>
      withTable(async (connection) => {
        await merged(connection, rows(800), { serverVersion })

        const { counts, asked } = await merged(
          connection,
          rows(1_000, (id) => (id % 2 === 0 ? rowOf(id, { amount: '2.50' }) : rowOf(id))),
          { serverVersion },
        )

        assert.deepEqual(counts, { inserted: 200, updated: 400, unchanged: 400, duplicate: 0 })
        assert.deepEqual(await held(connection, 'count(*), sum(amount)'), ['1000', '2000.00'])
        assert.ok(asked.includes(word))
      }))

    test('count the last of each key, whatever the order', () =>
      withTable(async (connection) => {
        await merged(connection, rows(600), { serverVersion })
        const first = rows(600, (id) => rowOf(601 - id, { amount: '9.00' }))

        const { counts } = await merged(connection, [...first, ...rows(10), ...rows(3)], { serverVersion })

        assert.deepEqual(counts, { inserted: 0, updated: 590, unchanged: 10, duplicate: 13 })
        assert.deepEqual(await held(connection, 'sum(amount)'), ['5325.00'])
      }))

    for (const [what, change] of [
      ['scale of a number', { free: '1.00' }],
      ['sign of a zero', { size: '-0' }],
      ['case under a collation that takes no notice of it', { loose: 'A' }],
      ['spaces of a document', { doc: '{"a": 1}' }],
      ['NULL', { name: null }],
      ['microseconds', { at: '2024-01-01 00:00:00.000001+00' }],
    ] as const) {
      test(`differ by no more than the ${what}`, () =>
        withTable(async (connection) => {
          await merged(connection, [rowOf(1), rowOf(2)], { serverVersion })

          const { counts } = await merged(connection, [rowOf(1, change), rowOf(2)], { serverVersion })

          assert.deepEqual(counts, { inserted: 0, updated: 1, unchanged: 1, duplicate: 0 })
        }))
    }

    test('never replace a newer row', () =>
      withTable(async (connection) => {
        const at = (day: string) => ({ at: `2024-01-${day} 00:00:00+00`, name: day })
        await merged(connection, [rowOf(1, at('05')), rowOf(2, at('05'))], { serverVersion })

        const older = [rowOf(1, at('04')), rowOf(2, at('06')), rowOf(3, at('01'))]
        const { counts } = await merged(connection, older, { serverVersion, version: 'at' })

        assert.deepEqual(counts, { inserted: 1, updated: 1, unchanged: 1, duplicate: 0 })
        assert.deepEqual(await held(connection, "string_agg(name, ' ' ORDER BY id)"), ['05 06 01'])
      }))
  })
}

describe('rows on their way into a temporary table', () => {
  test('need no look at the server when their keys grow and every value fits', () =>
    withTable(async (connection) => {
      const { asked } = await merged(connection, rows(5_000))

      assert.doesNotMatch(asked, /SELECT DISTINCT|ORDER BY/)
    }))

  test('are looked at when a value in a later block may not fit', () =>
    withTable(async (connection) => {
      const given = rows(10_000, (id) => rowOf(id, { amount: id === 9_999 ? '1.505' : '1.50', name: 'x'.repeat(90) }))

      const { counts } = await merged(connection, given)

      assert.equal(counts, null)
    }))

  test('leave the memory that a statement may take as it was', () =>
    withTable(async (connection) => {
      await connection.query("SELECT set_config('work_mem', '5MB', false)")

      const { memory, asked } = await merged(connection, rows(10))

      assert.match(asked, /64MB/)
      assert.equal(memory, '5MB')
    }))
})
