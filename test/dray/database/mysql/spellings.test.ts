import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { MergeTarget } from 'dray/internal/database/adapter.ts'
import { NOPAD } from '#test/services/mysql-speech.ts'
import { type OpenedServer, openServer, outcomeOf, skip } from './opened-server.ts'

/** Of each type two spellings of one key, another key, and keys to make many of. */
const KINDS: Readonly<Record<string, readonly [string, string, string, (n: number) => string]>> = {
  bigint: ['1', '01', '2', (n) => String(n + 10)],
  'decimal(10,2)': ['1.0', '1.00', '2', (n) => String(n + 10)],
  double: ['1', '1e0', '2', (n) => String(n + 10)],
  'datetime(6)': [
    '2024-01-01 00:00:00',
    '2024-01-01T00:00:00',
    '2024-01-02 00:00:00',
    (n) => `2000-01-01 00:00:00.${String(n).padStart(6, '0')}`,
  ],
  'varchar(20) COLLATE utf8mb4_unicode_ci': ['ann', 'Ann', 'bob', (n) => `x${n}`],
  'varchar(20) COLLATE utf8mb4_general_ci': ['ann', '\u00e1nn', 'bob', (n) => `x${n}`],
  'varchar(20) COLLATE utf8mb4_bin': ['ann', 'ann ', 'bob', (n) => `x${n}`],
}

describe('spellings of a key on MySQL', { skip }, () => {
  let server: OpenedServer
  let tables = 0
  before(async () => {
    server = await openServer()
  })
  after(() => server.close())

  async function create(type: string): Promise<MergeTarget> {
    tables += 1
    await server.query(`CREATE TABLE keyed_${tables} (k ${type} PRIMARY KEY, v varchar(9))`)
    return { table: `keyed_${tables}`, columns: ['v', 'k'], key: ['k'] }
  }

  for (const [type, [one, other, another, nth]] of Object.entries(KINDS)) {
    const more = Array.from({ length: 600 }, (_, index) => ['m', nth(index + 1)])

    test(`two of one ${type} are both rejected, and named`, async () => {
      const target = await create(type)

      const result = await server.merge(target, [['a', one], ['b', another], ['c', other], ['d', another], ...more])

      assert.deepEqual(outcomeOf(result), [601, 0, 0, 1, '0: spelling', '2: spelling'])
      assert.ok(result.rejected[0]?.message.includes(JSON.stringify(other)), result.rejected[0]?.message)
      assert.ok(result.rejected[1]?.message.includes(JSON.stringify(one)), result.rejected[1]?.message)
      assert.equal(result.rejected[0]?.column, 'k')
      assert.deepEqual(await server.query(`SELECT v FROM ${target.table} WHERE v <> 'm'`), [['d']])
    })

    test(`one of a ${type} that comes twice is a duplicate`, async () => {
      const target = await create(type)

      const result = await server.merge(target, [['a', other], ['b', another], ['c', other], ...more])

      assert.deepEqual(outcomeOf(result), [602, 0, 0, 1])
    })
  }

  for (const type of ['varchar(20) COLLATE utf8mb4_unicode_ci', 'char(20) COLLATE utf8mb4_general_ci']) {
    describe(`that the table has otherwise, in a ${type}`, () => {
      test('reject the row, and the stored one stays', async () => {
        const target = await create(type)
        await server.merge(target, [
          ['old', 'ann'],
          ['old', 'bob'],
        ])

        const result = await server.merge(target, [
          ['new', 'Ann'],
          ['new', 'bob'],
        ])

        assert.deepEqual(outcomeOf(result), [0, 1, 0, 0, '0: spelling'])
        assert.match(result.rejected[0]?.message ?? '', /"ann"/)
        assert.deepEqual(await server.query(`SELECT k, v FROM ${target.table} ORDER BY k`), [
          ['ann', 'old'],
          ['bob', 'new'],
        ])
      })

      test('give way to the row, key included, where it may', async () => {
        const target = await create(type)
        await server.merge(target, [
          ['same', 'ann'],
          ['old', 'bob'],
          ['old', 'cid'],
        ])

        const result = await server.merge({ ...target, respell: true }, [
          ['same', 'Ann'],
          ['new', 'BOB'],
          ['old', 'cid'],
        ])

        assert.deepEqual(outcomeOf(result), [0, 2, 1, 0])
        assert.deepEqual(await server.query(`SELECT k, v FROM ${target.table} ORDER BY k`), [
          ['Ann', 'same'],
          ['BOB', 'new'],
          ['cid', 'old'],
        ])
      })
    })
  }

  test('are none where a number is stored', async () => {
    for (const [type, stored, given] of [
      ['bigint', '1', '01'],
      ['decimal(10,2)', '1.0', '1.00'],
    ] as const) {
      const target = await create(type)
      await server.merge(target, [['v', stored]])

      const result = await server.merge(target, [['v', given]])

      assert.deepEqual(outcomeOf(result), [0, 0, 1, 0], type)
    }
  })

  test('are looked for column by column, whatever is in a key', async () => {
    await server.query(`CREATE TABLE pairs (a varchar(9), b varchar(9) COLLATE ${NOPAD}, PRIMARY KEY (a, b))`)
    const target: MergeTarget = { table: 'pairs', columns: ['a', 'b'], key: ['a', 'b'] }

    const result = await server.merge(target, [
      ['x\t', 'y'],
      ['x', '\ty'],
      ['A\\', 'N'],
      ['a\\', 'N'],
      ['x', '\ty'],
      ['\\N', 'é'],
    ])

    assert.deepEqual(outcomeOf(result), [3, 0, 0, 1, '2: spelling', '3: spelling'])
  })
})

describe('keys with a NULL on MySQL', { skip }, () => {
  let server: OpenedServer
  before(async () => {
    server = await openServer()
    await server.query('CREATE TABLE halves (a int, b int NULL, v int, UNIQUE (a, b))')
  })
  after(() => server.close())

  test('are rejected by an upsert each time, also of a unique key that may be NULL', async () => {
    const target: MergeTarget = { table: 'halves', columns: ['a', 'b', 'v'], key: ['a', 'b'] }
    const rows = [
      ['1', null, '1'],
      ['1', '1', '1'],
    ]

    const first = await server.merge(target, rows)
    const second = await server.merge(target, rows)

    assert.deepEqual(outcomeOf(first), [1, 0, 0, 0, '0: 1048'])
    assert.deepEqual(outcomeOf(second), [0, 0, 1, 0, '0: 1048'])
    assert.deepEqual(await server.query('SELECT * FROM halves'), [['1', '1', '1']])
  })

  test('are inserted where rows are only inserted, since a NULL equals nothing', async () => {
    await server.query('DELETE FROM halves')
    const target: MergeTarget = { table: 'halves', columns: ['a', 'b', 'v'], key: ['a', 'b'], mode: 'insert' }

    const result = await server.merge(target, [
      ['1', null, '1'],
      ['1', null, '2'],
      ['2', '2', '2'],
      ['2', '2', '3'],
    ])

    assert.deepEqual(outcomeOf(result), [3, 0, 0, 1])
  })
})
