import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import { type OpenedServer, openServer, outcomeOf, skip } from './opened-server.ts'

const list = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, index) => `'${prefix}${index}'`).join()

/** Rows that a table of MySQL may have, and that are longer in a wider type. */
const WIDE: readonly (readonly [name: string, type: string, columns: number, good: string, bad: string])[] = [
  ['SET', `set(${list(64, 'a member of a set ')})`, 5, 'a member of a set 0,a member of a set 63', 'none'],
  [
    'ENUM',
    `enum(${list(20, 'a rather long member of an enumeration ')})`,
    70,
    'a rather long member of an enumeration 7',
    'x',
  ],
  ['ENUM of short members', `enum(${list(9, 'e')})`, 300, 'e8', 'e9'],
  ['INT', 'int', 600, '-2147483648', '2147483648'],
  ['INT UNSIGNED', 'int unsigned', 1_000, '4294967295', '1.5'],
  ['BIGINT', 'bigint', 600, '-9223372036854775808', '0.04'],
]

describe('rows of wide tables of MySQL', { skip }, () => {
  let server: OpenedServer
  before(async () => {
    server = await openServer()
  })
  after(() => server.close())

  for (const [name, type, count, good, bad] of WIDE) {
    test(`${count} columns of ${name} are loaded, and updated, and what does not fit is rejected`, async () => {
      const columns = Array.from({ length: count }, (_, index) => `c${index}`)
      const table = `wide_${name.toLowerCase().replaceAll(' ', '_')}`
      await server.query(
        `CREATE TABLE ${table} (id int PRIMARY KEY, ${columns.map((column) => `${column} ${type} NULL`).join(', ')})`,
      )
      await server.query(`INSERT INTO ${table} (id) VALUES (1)`)
      const rowOf = (id: string, value: string): Text[] => [id, ...columns.map(() => value)]

      const result = await server.merge({ table, columns: ['id', ...columns], key: ['id'] }, [
        rowOf('1', good),
        [...rowOf('2', good).slice(0, -1), bad],
        rowOf('3', good),
      ])

      assert.deepEqual(outcomeOf(result).slice(0, 4), [1, 1, 0, 0])
      assert.deepEqual(
        result.rejected.map(({ row, column }) => [row, column]),
        [[1, `c${count - 1}`]],
      )
      assert.deepEqual(await server.query(`SELECT id, c${count - 1} FROM ${table} ORDER BY id`), [
        ['1', good],
        ['3', good],
      ])
    })
  }
})
