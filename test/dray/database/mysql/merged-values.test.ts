import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import { decodeLine } from 'dray/internal/block/copy-text.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { blocksOf, countsOf, inTransaction, type OpenedServer, openServer, skip } from './opened-server.ts'

type Case = readonly [type: string, good: readonly string[], bad: readonly (readonly [string, string])[]]

/** MySQL's own JSON makes doubles of numbers, and keeps one of the keys of a name. */
const JSON_OF_MYSQL: Case = [
  'json',
  ['{"a": 0.30000000000000004, "b": [18446744073709551615, -0.0, 100.0]}', '"\\"1.12345678901234567890\\\\"'],
  [
    ['0.1234567890123456789', '3140'],
    ['{"a":[1,{"b":18446744073709551616}]}', '3140'],
    ['{"a":1,"b":{"a":2},"\\u0061":3}', '3140'],
    ['[1e400]', '3140|3141'],
    ['-0', '3140'],
  ],
]

/** MariaDB alone has the type. */
const UUID: Case = ['uuid', ['123e4567-e89b-12d3-a456-426614174000'], [['123', '1265|1292']]]

/**
 * What a column of the type takes as it is, and what it would change or cannot hold, with the number of the error. LOAD
 * DATA calls a bad time 1265, INSERT 1292.
 */
const CASES: readonly Case[] = [
  [
    'tinyint',
    ['-128', '127'],
    [
      ['128', '1264'],
      ['zz', '1366'],
      ['', '1366'],
      ['1.5', '1265'],
      ['1.04', '1265'],
      ['t', '1366'],
    ],
  ],
  [
    'bigint',
    ['9223372036854775807', '-9223372036854775808'],
    [
      ['9223372036854775808', '1264'],
      ['1.00000000001', '1265'],
    ],
  ],
  ['bigint unsigned', ['18446744073709551615'], [['-1', '1264']]],
  [
    'decimal(5,2)',
    ['999.99', '-1.50'],
    [
      ['1.239', '1265'],
      ['1000', '1264'],
      ['NaN', '1366'],
    ],
  ],
  [
    'double',
    ['1.5', '-1e-300'],
    [
      ['-0', '1264'],
      ['-0.0', '1264'],
      ['1e400', '1264'],
      ['Infinity', '1366'],
    ],
  ],
  [
    'date',
    ['2024-02-29'],
    [
      ['2023-02-29', '1264|1265|1292'],
      ['2024-01-01 10:00:00', '1265|1292'],
      ['infinity', '1264|1265|1292'],
    ],
  ],
  [
    'datetime',
    ['2024-01-01 10:00:00'],
    [
      ['2024-01-01 10:00:00.5', '1265'],
      ['2024-13-01 00:00:00', '1265|1292'],
    ],
  ],
  [
    'datetime(6)',
    ['2024-01-01 10:00:00.000001'],
    [
      ['2024-01-01 10:00:00.0000001', '1265'],
      ['2024-01-01 12:00:00+02:00', '1265|1292'],
      ['2024-01-01 12:00:00-02:00', '1265|1292'],
    ],
  ],
  ['float', ['0.1', '-3.4e38'], [['1e300', '1264']]],
  ...(isRealMysql ? [JSON_OF_MYSQL] : []),
  [
    'timestamp(3)',
    ['2024-01-01 10:00:00.001'],
    [
      ['1969-12-31 23:00:00', '1265|1292'],
      ['2024-01-01 10:00:00.0001', '1265'],
    ],
  ],
  [
    'time',
    ['-10:00:00'],
    [
      ['10:00:00.5', '1265'],
      ['10:61:00', '1264|1265|1292'],
    ],
  ],
  [
    'year',
    ['1999', '2155'],
    [
      ['70', '1264'],
      ['2156', '1264'],
    ],
  ],
  [
    'varchar(3)',
    ['abc', 'ab ', ''],
    [
      ['abcd', '1406'],
      ['abc ', '1406'],
    ],
  ],
  ['varchar(9) character set latin1', ['\u00e4'], [['\u0142', '1366']]],
  ['varchar(9) character set utf8mb3', ['\u0142'], [['\u{1F600}', '1366']]],
  ['tinytext', ['x'.repeat(255)], [['x'.repeat(256), '1406']]],
  [
    'char(3)',
    ['abc', ''],
    [
      ['ab ', '1265'],
      ['abcd', '1406'],
    ],
  ],
  [
    "enum('a','B')",
    ['a', 'B'],
    [
      ['1', '1265'],
      ['b', '1265'],
      ['c', '1265'],
      ['', '1265'],
    ],
  ],
  [
    "set('a','b')",
    ['a,b', '', 'b'],
    [
      ['3', '1265'],
      ['a,c', '1265'],
      ['A', '1265'],
      ['a,a', '1265'],
    ],
  ],
  [
    'varbinary(2)',
    ['\\x00ff', '\\x'],
    [
      ['\\x000102', '1406'],
      ['\\xzz', '1366'],
      ['abc', '1366'],
    ],
  ],
  [
    'binary(2)',
    ['\\x00ff'],
    [
      ['\\x00', '1265'],
      ['\\x000102', '1406'],
    ],
  ],
  [
    'bit(3)',
    ['\\x05'],
    [
      ['\\x0f', '1264|1406'],
      ['5', '1366'],
    ],
  ],
  ['json', ['{"a": 1}'], [['{a}', '3140|4025']]],
  ...(isRealMysql ? [] : [UUID]),
]

function suite(name: string, argument: string): void {
  describe(`values merged into MySQL ${name}`, { skip }, () => {
    let server: OpenedServer
    before(async () => {
      server = await openServer({ arguments: [argument, '--sql-mode='] })
    })
    after(() => server.close())

    for (const [index, [type, good, bad]] of CASES.entries()) {
      test(`${type}: those that it holds arrive as they are, the others are rejected`, async () => {
        await server.query(`CREATE TABLE t${index} (id int PRIMARY KEY, v ${type} NULL)`)
        const values = [...bad.map(([value]) => value), ...good]
        const rows = values.map((value, place): Text[] => [String(place), value])

        const target = { table: `t${index}`, columns: ['id', 'v'], key: ['id'] }
        const result = await server.merge(target, [...rows, ['99', null]])
        const again = await server.merge(target, [...rows, ['99', null]])
        const held = await server.query(`SELECT v FROM t${index} ORDER BY id`)

        assert.deepEqual(held.flat(), [...good, null])
        assert.deepEqual(
          result.rejected.map(({ line, column }) => [decodeLine(line)[1], column]),
          bad.map(([value]) => [value, 'v']),
        )
        for (const [nth, { code }] of result.rejected.entries()) assert.match(code, new RegExp(`^(${bad[nth]?.[1]})$`))
        assert.deepEqual(countsOf(again), [0, 0, good.length + 1, 0, bad.length])
      })
    }

    test('many rejected rows cost the others nothing', async () => {
      await server.query('CREATE TABLE many (id int PRIMARY KEY, v varchar(3))')
      const rows = Array.from({ length: 70_000 }, (_, id): Text[] => [
        String(id),
        id % 7_000 === 6_999 ? 'overlong' : 'abc',
      ])

      const result = await server.merge({ table: 'many', columns: ['id', 'v'], key: ['id'] }, rows)

      assert.deepEqual(countsOf(result), [69_990, 0, 0, 0, 10])
      assert.deepEqual(
        result.rejected.map(({ row }) => row),
        Array.from({ length: 10 }, (_, nth) => nth * 7_000 + 6_999),
      )
      assert.deepEqual(
        result.rejected.map(({ line }) => line),
        result.rejected.map(({ row }) => `${row}\toverlong`),
      )
    })

    test('a row that is not UTF-8 is rejected, not repaired', async () => {
      await server.query('CREATE TABLE damaged (id int PRIMARY KEY, v varchar(9))')
      const bytes = Buffer.from('1\ta\n2\tb?c\n3\t\uFFFD\n')
      bytes[bytes.indexOf('?')] = 0xe4

      const target = { table: 'damaged', columns: ['id', 'v'], key: ['id'] }
      const result = await inTransaction(server.connection, () =>
        server.connection.merge(target, () => [{ bytes, rows: 3 }]),
      )

      assert.deepEqual(countsOf(result), [2, 0, 0, 0, 1])
      assert.equal(result.rejected[0]?.row, 1)
      assert.deepEqual(await server.query('SELECT * FROM damaged ORDER BY id'), [
        ['1', 'a'],
        ['3', '\uFFFD'],
      ])
    })

    test('a moment that TIMESTAMP cannot hold keeps no other key from being held', async () => {
      await server.query('CREATE TABLE moments (at timestamp(6), n int, PRIMARY KEY (at, n))')
      await server.query("INSERT INTO moments VALUES ('2024-01-01 00:00:00.5', 1), ('2024-01-02 00:00:00', 2)")
      const given = [
        ['0001-01-01 00:00:00', '1'],
        ['2024-01-01 00:00:00.500000', '1'],
        ['9999-12-31 23:59:59', '3'],
      ]

      const rows = await inTransaction(server.connection, async () => {
        const { isHeld } = await server.connection.holdKeys({ table: 'moments', key: ['at', 'n'] }, () =>
          blocksOf(given),
        )
        return server.query(`SELECT n FROM moments WHERE ${isHeld}`)
      })

      assert.deepEqual(rows, [['1']])
    })

    test('a row of too many or too few fields is rejected', async () => {
      await server.query('CREATE TABLE ragged (id int PRIMARY KEY, v int)')

      const result = await server.merge({ table: 'ragged', columns: ['id', 'v'], key: ['id'] }, [
        ['1'],
        ['2', '2'],
        ['3', '3', '3'],
      ])

      assert.deepEqual(countsOf(result), [1, 0, 0, 0, 2])
      assert.deepEqual(
        result.rejected.map(({ row }) => row),
        [0, 2],
      )
    })
  })
}

suite('by LOAD DATA', '--local-infile=ON')
suite('by INSERT, where the server takes no files', '--local-infile=OFF')
