import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { MergeTarget } from 'dray/internal/database/adapter.ts'
import { type OpenedServer, openServer, outcomeOf } from './opened-server.ts'

let server: OpenedServer
let tables = 0
before(async () => {
  server = await openServer()
  await server.query(`CREATE EXTENSION citext;
    CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
})
after(() => server.close())

async function create(type: string): Promise<MergeTarget> {
  tables += 1
  await server.query(`CREATE TABLE keyed_${tables} (k ${type} PRIMARY KEY, v text)`)
  return { table: `keyed_${tables}`, columns: ['v', 'k'], key: ['k'] }
}

const UUID = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
/** Of each type two spellings of one key, another key, and keys to make many of. */
const KINDS: Readonly<Record<string, readonly [string, string, string, (n: number) => string]>> = {
  uuid: [
    UUID,
    UUID.toUpperCase(),
    UUID.replace('a', 'b'),
    (n) => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`,
  ],
  'uuid ': [
    UUID,
    `{${UUID.replaceAll('-', '')}}`,
    UUID.replace('a', 'b'),
    (n) => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`,
  ],
  bigint: ['1', '01', '2', (n) => String(n + 10)],
  numeric: ['1.0', '1.00', '2', (n) => String(n + 10)],
  'numeric(10,2)': ['1.0', '1.00', '2', (n) => String(n + 10)],
  citext: ['ann', 'Ann', 'bob', (n) => `x${n}`],
  'text COLLATE loose': ['ann', 'Ann', 'bob', (n) => `x${n}`],
  'varchar(20) COLLATE loose': ['ann', 'Ann', 'bob', (n) => `x${n}`],
  'char(5)': ['b', 'b ', 'c', (n) => `x${n}`],
  timestamptz: [
    '2024-01-01 00:00:00+00',
    '2024-01-01 02:00:00+02',
    '2024-01-02 00:00:00+00',
    (n) => `2000-01-01 00:00:00.${String(n).padStart(6, '0')}+00`,
  ],
}

for (const [type, [one, other, another, nth]] of Object.entries(KINDS)) {
  for (const [size, count] of [
    ['few', 0],
    ['many', 600],
  ] as const) {
    const more = Array.from({ length: count }, (_, index) => ['m', nth(index + 1)])

    test(`two spellings of one ${type} among ${size} rows are both rejected, and named`, async () => {
      const target = await create(type)

      const result = await server.merge(target, [['a', one], ['b', another], ['c', other], ['d', another], ...more])

      assert.deepEqual(outcomeOf(result), [1 + count, 0, 0, 1, '0: spelling', '2: spelling'])
      assert.ok(result.rejected[0]?.message.includes(JSON.stringify(other)), result.rejected[0]?.message)
      assert.ok(result.rejected[1]?.message.includes(JSON.stringify(one)), result.rejected[1]?.message)
      assert.equal(result.rejected[0]?.column, 'k')
      assert.deepEqual(await server.query(`SELECT v FROM ${target.table} WHERE v <> 'm'`), [['d']])
    })

    test(`one spelling of a ${type} that comes twice among ${size} rows is a duplicate`, async () => {
      const target = await create(type)

      const result = await server.merge(target, [['a', other], ['b', another], ['c', other], ...more])

      assert.deepEqual(outcomeOf(result), [2 + count, 0, 0, 1])
    })
  }
}

for (const type of ['citext', 'text COLLATE loose', 'varchar(20) COLLATE loose']) {
  describe(`a key of ${type} that the table spells otherwise`, () => {
    for (const count of [0, 600]) {
      const more = Array.from({ length: count }, (_, index) => ['m', `x${index}`])

      test(`is rejected, and the stored row stays, among ${count} others`, async () => {
        const target = await create(type)
        await server.merge(target, [['old', 'ann'], ['old', 'bob'], ...more])

        const result = await server.merge(target, [['new', 'Ann'], ['new', 'bob'], ...more])

        assert.deepEqual(outcomeOf(result), [0, 1, count, 0, '0: spelling'])
        assert.match(result.rejected[0]?.message ?? '', /"ann"/)
        assert.deepEqual(await server.query(`SELECT k, v FROM ${target.table} WHERE v <> 'm' ORDER BY k`), [
          ['ann', 'old'],
          ['bob', 'new'],
        ])
      })

      test(`takes its place, key included, where it may, among ${count} others`, async () => {
        const target = await create(type)
        await server.merge(target, [['same', 'ann'], ['old', 'bob'], ['old', 'cid'], ...more])

        const result = await server.merge({ ...target, respell: true }, [
          ['same', 'Ann'],
          ['new', 'BOB'],
          ['old', 'cid'],
          ...more,
        ])

        assert.deepEqual(outcomeOf(result), [0, 2, 1 + count, 0])
        assert.deepEqual(await server.query(`SELECT k, v FROM ${target.table} WHERE v <> 'm' ORDER BY k`), [
          ['Ann', 'same'],
          ['BOB', 'new'],
          ['cid', 'old'],
        ])
      })
    }
  })
}

test('numbers and uuids that the table has need no other spelling', async () => {
  for (const [type, stored, given] of [
    ['numeric', '1.0', '1.00'],
    ['uuid', UUID, UUID.toUpperCase()],
    ['char(5)', 'b', 'b '],
  ] as const) {
    const target = await create(type)
    await server.merge(target, [['v', stored]])

    const result = await server.merge(target, [['v', given]])

    assert.deepEqual(outcomeOf(result), [0, 0, 1, 0], type)
  }
})

test('keys of a char(5) that differ in more than the spaces that fill it are all there', async () => {
  const target = await create('char(5)')

  const result = await server.merge(target, [
    ['1', 'a'],
    ['2', 'b '],
    ['3', 'c  '],
    ['4', 'ddddd'],
  ])

  assert.deepEqual(outcomeOf(result), [4, 0, 0, 0])
  assert.deepEqual(await server.query(`SELECT k FROM ${target.table} ORDER BY k`), [
    ['a    '],
    ['b    '],
    ['c    '],
    ['ddddd'],
  ])
})

test('a key of several columns is compared column by column, whatever is in it', async () => {
  await server.query('CREATE TABLE pairs (a citext, b text, PRIMARY KEY (a, b))')
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
