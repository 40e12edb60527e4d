import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import type { Dialect, MergeTarget } from 'dray/internal/database/adapter.ts'
import { NOPAD } from '#test/services/mysql-speech.ts'
import { type MergeEngine, outcomeOf } from './merge-engines.ts'

const UUID = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
const uuidOf = (n: number) => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`
const numberOf = (n: number) => String(n + 10)
const nameOf = (n: number) => `x${n}`
const momentOf = (n: number) => `2000-01-01 00:00:00.${String(n).padStart(6, '0')}`

/** Two spellings of one key, another key, and keys to make many of. */
type Kind = readonly [one: string, other: string, another: string, nth: (n: number) => string]

/** By type. */
const KINDS: Readonly<Record<Dialect, Readonly<Record<string, Kind>>>> = {
  postgres: {
    uuid: [UUID, UUID.toUpperCase(), UUID.replace('a', 'b'), uuidOf],
    'uuid ': [UUID, `{${UUID.replaceAll('-', '')}}`, UUID.replace('a', 'b'), uuidOf],
    bigint: ['1', '01', '2', numberOf],
    numeric: ['1.0', '1.00', '2', numberOf],
    'numeric(10,2)': ['1.0', '1.00', '2', numberOf],
    citext: ['ann', 'Ann', 'bob', nameOf],
    'text COLLATE loose': ['ann', 'Ann', 'bob', nameOf],
    'varchar(20) COLLATE loose': ['ann', 'Ann', 'bob', nameOf],
    'char(5)': ['b', 'b ', 'c', nameOf],
    timestamptz: [
      '2024-01-01 00:00:00+00',
      '2024-01-01 02:00:00+02',
      '2024-01-02 00:00:00+00',
      (n) => `${momentOf(n)}+00`,
    ],
  },
  mysql: {
    bigint: ['1', '01', '2', numberOf],
    'decimal(10,2)': ['1.0', '1.00', '2', numberOf],
    double: ['1', '1e0', '2', numberOf],
    'datetime(6)': ['2024-01-01 00:00:00', '2024-01-01T00:00:00', '2024-01-02 00:00:00', momentOf],
    'varchar(20) COLLATE utf8mb4_unicode_ci': ['ann', 'Ann', 'bob', nameOf],
    'varchar(20) COLLATE utf8mb4_general_ci': ['ann', '\u00e1nn', 'bob', nameOf],
    'varchar(20) COLLATE utf8mb4_bin': ['ann', 'ann ', 'bob', nameOf],
  },
  sqlite: {
    INTEGER: ['1', '01', '2', numberOf],
    NUMERIC: ['1.0', '1.00', '2', numberOf],
    REAL: ['1', '1e0', '2', numberOf],
    'TEXT COLLATE NOCASE': ['ann', 'Ann', 'bob', nameOf],
    'TEXT COLLATE RTRIM': ['ann', 'ann ', 'bob', nameOf],
  },
}

/** Types of texts that are equal whatever their capitals, and are stored as they were written. */
const LOOSE: Readonly<Record<Dialect, readonly string[]>> = {
  postgres: ['citext', 'text COLLATE loose', 'varchar(20) COLLATE loose'],
  mysql: ['varchar(20) COLLATE utf8mb4_unicode_ci', 'char(20) COLLATE utf8mb4_general_ci'],
  sqlite: ['TEXT COLLATE NOCASE', 'VARCHAR(20) COLLATE NOCASE'],
}

/** Types that store a value in one form, with two spellings of one. */
const ONE_FORM: Readonly<Record<Dialect, readonly (readonly [type: string, stored: string, given: string])[]>> = {
  postgres: [
    ['numeric', '1.0', '1.00'],
    ['uuid', UUID, UUID.toUpperCase()],
    ['char(5)', 'b', 'b '],
  ],
  mysql: [
    ['bigint', '1', '01'],
    ['decimal(10,2)', '1.0', '1.00'],
  ],
  sqlite: [
    ['INTEGER', '1', '01'],
    ['NUMERIC', '1.0', '1.00'],
  ],
}

const PAIRS: Readonly<Record<Dialect, string>> = {
  postgres: 'a citext, b text',
  mysql: `a varchar(9), b varchar(9) COLLATE ${NOPAD}`,
  sqlite: 'a TEXT COLLATE NOCASE, b TEXT',
}

const NOT_NULL: Readonly<Record<Dialect, string>> = { postgres: '23502', mysql: '1048', sqlite: '1299' }

/** Few rows and many go different ways. */
const SIZES = [0, 600]

/** What a merge makes of keys that are one for the table, and written otherwise. */
export function spellings(engine: MergeEngine): void {
  const { dialect } = engine
  let tables = 0
  const key = (target: MergeTarget, where = 'TRUE') =>
    engine.query(`SELECT k, v FROM ${target.table} WHERE ${where} ORDER BY k`)

  async function create(type: string): Promise<MergeTarget> {
    tables += 1
    await engine.query(`CREATE TABLE keyed_${tables} (k ${type} PRIMARY KEY, v varchar(9))`)
    return { table: `keyed_${tables}`, columns: ['v', 'k'], key: ['k'] }
  }

  before(async () => {
    if (dialect !== 'postgres') return
    await engine.query(
      "CREATE EXTENSION citext; CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    )
  })

  for (const [type, [one, other, another, nth]] of Object.entries(KINDS[dialect])) {
    for (const count of SIZES) {
      const more = Array.from({ length: count }, (_, index) => ['m', nth(index + 1)])

      test(`two of one ${type} are both rejected, and named, beside ${count} others`, async () => {
        const target = await create(type)

        const result = await engine.merge(target, [['a', one], ['b', another], ['c', other], ['d', another], ...more])

        assert.deepEqual(outcomeOf(result), [1 + count, 0, 0, 1, '0: spelling', '2: spelling'])
        assert.ok(result.rejected[0]?.message.includes(JSON.stringify(other)), result.rejected[0]?.message)
        assert.ok(result.rejected[1]?.message.includes(JSON.stringify(one)), result.rejected[1]?.message)
        assert.equal(result.rejected[0]?.column, 'k')
        assert.deepEqual(
          (await key(target, "v <> 'm'")).map(([, v]) => v),
          ['d'],
        )
      })

      test(`one of a ${type} that comes twice is a duplicate, beside ${count} others`, async () => {
        const target = await create(type)

        const result = await engine.merge(target, [['a', other], ['b', another], ['c', other], ...more])

        assert.deepEqual(outcomeOf(result), [2 + count, 0, 0, 1])
      })
    }
  }

  for (const type of LOOSE[dialect]) {
    for (const count of SIZES) {
      const more = Array.from({ length: count }, (_, index) => ['m', nameOf(index)])

      describe(`that the table has otherwise, in a ${type}, beside ${count} others`, () => {
        test('reject the row, and the stored one stays', async () => {
          const target = await create(type)
          await engine.merge(target, [['old', 'ann'], ['old', 'bob'], ...more])

          const result = await engine.merge(target, [['new', 'Ann'], ['new', 'bob'], ...more])

          assert.deepEqual(outcomeOf(result), [0, 1, count, 0, '0: spelling'])
          assert.match(result.rejected[0]?.message ?? '', /"ann"/)
          assert.deepEqual(await key(target, "v <> 'm'"), [
            ['ann', 'old'],
            ['bob', 'new'],
          ])
        })

        test('give way to the row, key included, where it may', async () => {
          const target = await create(type)
          await engine.merge(target, [['same', 'ann'], ['old', 'bob'], ['old', 'cid'], ...more])

          const rows = [['same', 'Ann'], ['new', 'BOB'], ['old', 'cid'], ...more]
          const result = await engine.merge({ ...target, respell: true }, rows)

          assert.deepEqual(outcomeOf(result), [0, 2, 1 + count, 0])
          assert.deepEqual(await key(target, "v <> 'm'"), [
            ['Ann', 'same'],
            ['BOB', 'new'],
            ['cid', 'old'],
          ])
        })
      })
    }
  }

  for (const [type, stored, given] of ONE_FORM[dialect]) {
    test(`are none where a ${type} is stored in one form`, async () => {
      const target = await create(type)
      await engine.merge(target, [['v', stored]])

      const result = await engine.merge(target, [['v', given]])

      assert.deepEqual(outcomeOf(result), [0, 0, 1, 0])
    })
  }

  test('are none where keys of a char differ in more than the spaces that fill it', async (context) => {
    if (dialect !== 'postgres') return context.skip('the others do not fill it up')
    const target = await create('char(5)')

    const result = await engine.merge(target, [
      ['1', 'a'],
      ['2', 'b '],
      ['3', 'c  '],
      ['4', 'ddddd'],
    ])

    assert.deepEqual(outcomeOf(result), [4, 0, 0, 0])
    assert.deepEqual(
      (await key(target)).map(([k]) => k),
      ['a    ', 'b    ', 'c    ', 'ddddd'],
    )
  })

  test('are looked for column by column, whatever is in a key', async () => {
    await engine.query(`CREATE TABLE pairs (${PAIRS[dialect]}, PRIMARY KEY (a, b))`)
    const target: MergeTarget = { table: 'pairs', columns: ['a', 'b'], key: ['a', 'b'] }

    const result = await engine.merge(target, [
      ['x\t', 'y'],
      ['x', '\ty'],
      ['A\\', 'N'],
      ['a\\', 'N'],
      ['x', '\ty'],
      ['\\N', 'é'],
    ])

    assert.deepEqual(outcomeOf(result), [3, 0, 0, 1, '2: spelling', '3: spelling'])
  })

  describe('of a NULL', () => {
    const target: MergeTarget = { table: 'halves', columns: ['a', 'b', 'v'], key: ['a', 'b'] }
    before(() => engine.query('CREATE TABLE halves (a int, b int NULL, v int, UNIQUE (a, b))'))

    test('are rejected by an upsert each time, also of a unique key that may be NULL', async () => {
      const rows = [
        ['1', null, '1'],
        ['1', '1', '1'],
      ]

      const first = await engine.merge(target, rows)
      const second = await engine.merge(target, rows)

      assert.deepEqual(outcomeOf(first), [1, 0, 0, 0, `0: ${NOT_NULL[dialect]}`])
      assert.deepEqual(outcomeOf(second), [0, 0, 1, 0, `0: ${NOT_NULL[dialect]}`])
      assert.deepEqual(await engine.query('SELECT * FROM halves'), [['1', '1', '1']])
    })

    test('are inserted where rows are only inserted, since a NULL equals nothing', async () => {
      await engine.query('DELETE FROM halves')

      const result = await engine.merge({ ...target, mode: 'insert' }, [
        ['1', null, '1'],
        ['1', null, '2'],
        ['2', '2', '2'],
        ['2', '2', '3'],
      ])

      assert.deepEqual(outcomeOf(result), [3, 0, 0, 1])
    })
  })
}
