import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import type { MergeTarget } from 'dray/internal/database/adapter.ts'
import { TerminalError } from 'dray/internal/errors.ts'
import { CHECK_VIOLATED } from '#test/services/mysql-speech.ts'
import { blocksOf, countsOf, inTransaction, type OpenedServer, openServer, skip } from './opened-server.ts'

describe('a merge into MySQL', { skip }, () => {
  let server: OpenedServer
  let tables = 0
  before(async () => {
    server = await openServer()
  })
  after(() => server.close())

  /** Makes a table of a fresh name; returns the target to merge into. */
  async function tableOf(definition: string, target: Partial<MergeTarget> = {}): Promise<MergeTarget> {
    tables += 1
    const table = `merged_${tables}`
    await server.query(`CREATE TABLE ${table} (${definition})`)
    const columns = (await server.connection.describe(table))?.columns.map(({ name }) => name) ?? []
    return { table, columns, key: ['id'], ...target }
  }

  const rowsOf = (target: MergeTarget, order = 'id') => server.query(`SELECT * FROM ${target.table} ORDER BY ${order}`)

  test('counts what it inserts, updates, leaves, drops as duplicate and rejects', async () => {
    const target = await tableOf('id int PRIMARY KEY, v varchar(5)')
    await server.query(`INSERT INTO ${target.table} VALUES (1, 'old'), (2, 'same')`)

    const result = await server.merge(target, [
      ['1', 'first'],
      ['2', 'same'],
      ['3', 'new'],
      ['4', 'too long'],
      ['1', 'last'],
      [null, 'nokey'],
    ])

    assert.deepEqual(countsOf(result), [1, 1, 1, 1, 2])
    assert.deepEqual(
      result.rejected.map(({ row, line, code, column }) => ({ row, line, code, column })),
      [
        { row: 3, line: '4\ttoo long', code: '1406', column: 'v' },
        { row: 5, line: '\\N\tnokey', code: '1048', column: 'id' },
      ],
    )
    assert.deepEqual(await rowsOf(target), [
      ['1', 'last'],
      ['2', 'same'],
      ['3', 'new'],
    ])
  })

  test('takes a change of case, accent or space for a change', async () => {
    const target = await tableOf('id int PRIMARY KEY, v varchar(9)')
    const merge = (v: string) => server.merge(target, [['1', v]])

    await merge('a')
    const changes = [await merge('A'), await merge('\u00e1'), await merge('\u00e1 '), await merge('\u00e1 ')]

    assert.deepEqual(
      changes.map(({ updated }) => updated),
      [1, 1, 1, 0],
    )
    assert.deepEqual(await rowsOf(target), [['1', '\u00e1 ']])
  })

  test('writes ignored columns only with a row that changes otherwise', async () => {
    const target = await tableOf('id int PRIMARY KEY, loaded int, v varchar(9), other int', { ignore: ['loaded'] })
    await server.merge(target, [
      ['1', '1', 'a', '1'],
      ['2', '1', 'b', '1'],
    ])

    const result = await server.merge(target, [
      ['1', '2', 'a', '1'],
      ['2', '2', 'B', '1'],
    ])

    assert.deepEqual(countsOf(result), [0, 1, 1, 0, 0])
    assert.deepEqual(await rowsOf(target), [
      ['1', '1', 'a', '1'],
      ['2', '2', 'B', '1'],
    ])
  })

  test('never lets an older version overwrite a newer one', async () => {
    const target = await tableOf('id int PRIMARY KEY, at datetime(6), v varchar(9), loaded int', {
      version: 'at',
      ignore: ['loaded'],
    })
    const at = (time: string) => `2024-01-01 00:00:00.${time}`
    await server.merge(
      target,
      ['1', '2', '3', '4'].map((id) => [id, id === '4' ? null : at('000002'), 'old', '1']),
    )

    const result = await server.merge(target, [
      ['1', at('000001'), 'new', '2'],
      ['2', at('000002'), 'new', '2'],
      ['3', at('000003'), 'new', '2'],
      ['4', at('000001'), 'new', '2'],
    ])

    assert.deepEqual(countsOf(result), [0, 3, 1, 0, 0])
    assert.deepEqual(await rowsOf(target), [
      ['1', at('000002'), 'old', '1'],
      ['2', at('000002'), 'new', '2'],
      ['3', at('000003'), 'new', '2'],
      ['4', at('000001'), 'new', '2'],
    ])
  })

  test('in insert mode refuses an existing key and writes the rest', async () => {
    const target = await tableOf('id int PRIMARY KEY, v int', { mode: 'insert' })
    await server.query(`INSERT INTO ${target.table} VALUES (2, 20)`)

    const result = await server.merge(target, [
      ['1', '1'],
      ['2', '2'],
      ['3', '3'],
    ])

    assert.deepEqual(countsOf(result), [2, 0, 0, 0, 1])
    assert.deepEqual(result.rejected[0]?.code, '1062')
    assert.deepEqual(await rowsOf(target), [
      ['1', '1'],
      ['2', '20'],
      ['3', '3'],
    ])
  })

  test('in insert mode needs no key', async () => {
    const target = await tableOf('id int, v varchar(2)', { mode: 'insert', key: [] })

    const result = await server.merge(target, [
      ['1', 'a'],
      ['1', 'a'],
      ['2', 'long'],
    ])

    assert.deepEqual(countsOf(result), [2, 0, 0, 0, 1])
  })

  test('rejects keys that are equal under the collation but not the same, and merges none of them', async () => {
    const target = await tableOf('id varchar(9) COLLATE utf8mb4_unicode_ci PRIMARY KEY, v int')
    await server.query(`INSERT INTO ${target.table} VALUES ('X', 1)`)

    const result = await server.merge(target, [
      ['a', '1'],
      ['A', '2'],
      ['a ', '3'],
      ['\u00e1', '4'],
      ['\uff41', '5'],
      ['x', '6'],
      ['a', '7'],
      ['X', '8'],
    ])

    assert.deepEqual(countsOf(result), [0, 0, 0, 0, 8])
    assert.deepEqual(
      result.rejected.map(({ row, code, column }) => [row, code, column]),
      [0, 1, 2, 3, 4, 5, 6, 7].map((row) => [row, 'spelling', 'id']),
    )
    assert.deepEqual(await rowsOf(target), [['X', '1']])
  })

  test('never overwrites a row that another unique key points to', async () => {
    const target = await tableOf('id int PRIMARY KEY, email varchar(20) UNIQUE, v int')
    await server.query(`INSERT INTO ${target.table} VALUES (1, 'a', 10), (2, 'b', 20)`)

    const result = await server.merge(target, [
      ['3', 'a', '30'],
      ['2', 'a', '21'],
      ['4', 'c', '40'],
      ['5', 'c', '50'],
      ['6', 'd', '60'],
    ])

    assert.deepEqual(countsOf(result), [2, 0, 0, 0, 3])
    assert.deepEqual(
      result.rejected.map(({ row, code }) => [row, code]),
      [
        [0, '1062'],
        [1, '1062'],
        [3, '1062'],
      ],
    )
    assert.deepEqual(await rowsOf(target), [
      ['1', 'a', '10'],
      ['2', 'b', '20'],
      ['4', 'c', '40'],
      ['6', 'd', '60'],
    ])
  })

  test('merges by a unique key, and gives a row the primary key that another row leaves', async () => {
    const target = await tableOf('id int PRIMARY KEY, code varchar(9) NOT NULL UNIQUE, v int', { key: ['code'] })
    await server.query(`INSERT INTO ${target.table} VALUES (5, 'x', 50), (7, 'a', 70)`)

    const result = await server.merge(target, [
      ['5', 'a', '1'],
      ['8', 'x', '80'],
      ['9', 'n', '90'],
    ])

    assert.deepEqual(countsOf(result), [1, 2, 0, 0, 0])
    assert.deepEqual(await rowsOf(target), [
      ['5', 'a', '1'],
      ['8', 'x', '80'],
      ['9', 'n', '90'],
    ])
  })

  test('isolates the rows that constraints refuse, wherever they stand', async () => {
    await server.query('CREATE TABLE parent (id int PRIMARY KEY)')
    await server.query('INSERT INTO parent VALUES (1)')
    const target = await tableOf(
      'id smallint PRIMARY KEY, parent_id int NOT NULL REFERENCES parent (id), v int CHECK (v < 100), w int NOT NULL',
    )
    const rows = Array.from({ length: 3_000 }, (_, index): Text[] => [String(index), '1', '1', '1'])
    rows[0] = ['0', '9', '1', '1']
    rows[1_500] = ['1500', '1', '100', '1']
    rows[1_501] = ['1501', '1', '1', null]
    rows[2_999] = ['40000', '1', '1', '1']

    const result = await server.merge(target, rows)

    assert.deepEqual(countsOf(result), [2_996, 0, 0, 0, 4])
    assert.deepEqual(
      result.rejected.map(({ row, code, column }) => [row, code, column]),
      [
        [0, '1452', 'parent_id'],
        // MySQL names the constraint alone.
        [1_500, CHECK_VIOLATED, CHECK_VIOLATED === '4025' ? 'v' : null],
        [1_501, '1048', 'w'],
        [2_999, '1264', 'id'],
      ],
    )
    assert.deepEqual(await server.query(`SELECT COUNT(*) FROM ${target.table}`), [['2996']])
  })

  for (const [type, beyond] of [
    ['bigint unsigned', '-129'],
    ['tinyint unsigned', '-1'],
    ['bigint', '18446744073709551615'],
    ['bigint', '-9223372036854775809'],
  ] as const) {
    test(`rejects a key beyond ${type} alone, where others are in the table: ${beyond}`, async () => {
      const target = await tableOf(`id ${type} PRIMARY KEY, v int`)
      await server.merge(target, [['1', '1']])

      const result = await server.merge(target, [
        ['1', '2'],
        [beyond, '2'],
        ['2', '2'],
      ])

      assert.deepEqual(countsOf(result), [1, 1, 0, 0, 1])
      assert.deepEqual([result.rejected[0]?.row, result.rejected[0]?.code], [1, '1264'])
    })
  }

  test('rejects every row when all are bad', async () => {
    const target = await tableOf('id int PRIMARY KEY, v int CHECK (v > 0)')
    const rows = Array.from({ length: 200 }, (_, index): Text[] => [String(index), '0'])

    const result = await server.merge(target, rows)

    assert.deepEqual(countsOf(result), [0, 0, 0, 0, 200])
  })

  test('keeps 0 in a generated key', async () => {
    const target = await tableOf('id int PRIMARY KEY AUTO_INCREMENT, v int')

    await server.merge(target, [
      ['0', '1'],
      ['5', '2'],
    ])

    assert.deepEqual(await rowsOf(target), [
      ['0', '1'],
      ['5', '2'],
    ])
  })

  test('takes names that are hostile or its own', async () => {
    const target = await tableOf('id int PRIMARY KEY, `a``b` int, `order` int, dray_ordinal int, dray_flag blob', {})

    const result = await server.merge(target, [['1', '2', '3', '4', '\\x05']])

    assert.deepEqual(countsOf(result), [1, 0, 0, 0, 0])
    assert.deepEqual(await rowsOf(target), [['1', '2', '3', '4', '\\x05']])
  })

  test('passes on an error of its input, and leaves nothing behind', async () => {
    const target = await tableOf('id int PRIMARY KEY')
    async function* failing() {
      yield* blocksOf([['1']])
      throw new TerminalError('The staged object is short.')
    }

    const merged = inTransaction(server.connection, () => server.connection.merge(target, failing))

    await assert.rejects(merged, /The staged object is short/)
    assert.deepEqual(await rowsOf(target), [])
    await assert.rejects(
      server.connection.merge(target, () => []),
      /outside a transaction/,
    )
  })

  test('says what it cannot merge into', async () => {
    const none = await tableOf('id int, v int')
    const generated = await tableOf('id int PRIMARY KEY, v int AS (id + 1)')
    const myisam = await tableOf('id int PRIMARY KEY')
    await server.query(`ALTER TABLE ${myisam.table} ENGINE=MyISAM`)
    const merge = (target: MergeTarget) => server.merge(target, [target.columns.map(() => '1')])

    await assert.rejects(merge({ ...none, table: 'missing' }), /There is no table missing/)
    await assert.rejects(merge({ ...none, columns: ['id', 'w'] }), /no primary or unique key|has no column w/)
    await assert.rejects(merge(none), /no primary or unique key on id/)
    await assert.rejects(merge(generated), /is generated/)
    await assert.rejects(merge(myisam), /stored by MyISAM, which has no transactions/)
  })

  test('two merges of neighbouring keys at once do not wait for each other', async () => {
    const target = await tableOf('id int PRIMARY KEY, v int')
    const rows = (parity: number, v: string) =>
      Array.from({ length: 500 }, (_, index): Text[] => [String(2 * index + parity), v])
    await server.merge(target, rows(0, '1'))
    const [one, other] = [await server.adapter.acquire(), await server.adapter.acquire()]
    await one.begin('write')
    await other.begin('write')

    await one.merge(target, () => blocksOf(rows(0, '2')))
    await other.merge(target, () => blocksOf(rows(1, '1')), { signal: AbortSignal.timeout(10_000) })
    await one.commit()
    await other.commit()
    await server.adapter.release(one)
    await server.adapter.release(other)

    assert.deepEqual(await server.query(`SELECT COUNT(*), SUM(v) FROM ${target.table}`), [['1000', '1500']])
  })
})
