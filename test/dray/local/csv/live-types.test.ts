import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import type { Dialect } from 'dray/internal/database/adapter.ts'
import { importCsv } from 'dray-infra/internal/local/csv/import.ts'
import { onEachEngine } from '#test/pipeline/engines.ts'

const shop = database('typed-shop')

interface LiveType {
  readonly type: string
  /** What a file may say, and what the column is to read as then, where that is written in another way. */
  readonly taken: readonly (string | readonly [given: string, read: string])[]
  /** What the column would store as another value. */
  readonly refused: readonly string[]
}

const DOUBLES = {
  taken: [
    '0.1',
    '-1.5',
    '123456.789',
    '0.30000000000000004',
    ['1e3', '1000'],
    ['9007199254740992.0', '9007199254740992'],
  ],
  refused: ['9007199254740993', '0.1234567890123456789', '1e400', '1e-400', '1,5', '$5', '0x10'],
} as const
const CLOCKS = ['now', '1000', '10', '10:00:00.1234567', '10:00:00+02', 'noon']

const TYPES: Readonly<Record<Dialect, readonly LiveType[]>> = {
  sqlite: [
    { type: 'REAL', ...DOUBLES, taken: [...DOUBLES.taken.slice(0, 4)] },
    { type: 'NUMERIC', taken: ['1.5', '-7', '9007199254740993'], refused: DOUBLES.refused.slice(1) },
    { type: 'DECIMAL(10,2)', taken: ['1.25'], refused: ['1,5', '$5', 'x', '1e400'] },
    { type: 'DATE', taken: ['2024-02-29'], refused: ['2024-02-30', 'now', '01/02/2024'] },
    { type: 'DATETIME', taken: ['2024-02-29 10:00:00'], refused: ['2024-02-30 10:00:00', 'now', '01/02/2024 10:00'] },
    { type: 'BOOLEAN', taken: ['0', '1', 'true'], refused: ['x', '2', 'tr'] },
    { type: 'TEXT', taken: ['007', 'now', '1e400', '1,5'], refused: [] },
    { type: 'STRING', taken: ['7', 'x'], refused: ['007', '1.50'] },
  ],
  postgres: [
    { type: 'time', taken: ['10:00:00', '10:00:00.123456'], refused: CLOCKS },
    { type: 'time(0)', taken: ['10:00:00'], refused: ['10:00:00.5', ...CLOCKS] },
    { type: 'timetz', taken: ['10:00:00+02'], refused: ['now', '1000', '10:00:00.1234567+00'] },
    { type: 'clock', taken: ['10:00:00'], refused: CLOCKS },
    { type: 'cents', taken: ['1.25'], refused: ['1.255', '0x1F', '1_000', 'x'] },
    { type: 'interval', taken: ['1 day', '01:02:03.5', ['P1D', '1 day']], refused: ['1', '1.5', '00:00:00.1234567'] },
    {
      type: 'tstzrange',
      taken: [['[2024-01-01 10:00:00+00,)', '["2024-01-01 10:00:00+00",)'], 'empty'],
      refused: ['[now,)', '[2024-01-01 10:00:00.1234567+00,)', '[01/02/2024,)'],
    },
    { type: 'daterange', taken: ['[2024-01-31,2024-02-02)', '[2024-01-31,)'], refused: ['[now,)', '[01/02/2024,)'] },
    { type: 'date[]', taken: ['{2024-01-31,NULL}', '{}'], refused: ['{now}', '{01/02/2024}', '{2024-02-30}'] },
    {
      type: 'timestamp[]',
      taken: [['{2024-01-31}', '{"2024-01-31 00:00:00"}'], '{"2024-01-31 10:00:00"}'],
      refused: ['{now}', '{"2024-01-31 10:00:00+02"}', '{"2024-01-31 10:00:00.1234567"}'],
    },
    { type: 'money', taken: ['$1,234.00', ['12.3', '$12.30']], refused: ['12,34', '1.239', '1,23,456'] },
    { type: 'float8', ...DOUBLES, taken: DOUBLES.taken.slice(0, 4) },
    {
      type: 'real',
      taken: ['0.1', ['16777216', '1.6777216e+07']],
      refused: ['9007199254740993', '16777217', '0.123456789', '1e39'],
    },
    { type: 'float8[]', taken: ['{0.1,NULL,2}'], refused: ['{1,9007199254740993}', '{0.1234567890123456789}'] },
    { type: 'point', taken: ['(0.1,2)'], refused: ['(9007199254740993,1)', '(1,0.1234567890123456789)'] },
    { type: 'integer', taken: ['7', '-7', ['+7', '7']], refused: ['0x10', '0b11', '1_000', '1.7', '2147483648'] },
    { type: 'bigint[]', taken: ['{7,-7}'], refused: ['{0x10}', '{1_000}'] },
    { type: 'numeric', taken: ['1.50', '-7'], refused: ['0x1F', '1_000'] },
    { type: 'numeric(6,2)', taken: ['1.50'], refused: ['0x1F', '1.239', '12345.6'] },
    {
      type: 'boolean',
      taken: [
        ['true', 't'],
        ['NO', 'f'],
        ['1', 't'],
      ],
      refused: ['tr', '2', 'o'],
    },
    { type: 'char(5)', taken: ['abcde'], refused: ['abcde ', 'abcdef'] },
    { type: 'varchar(5)', taken: ['abcd '], refused: ['abcde '] },
  ],
  mysql: [
    { type: 'time', taken: ['10:00:00', '-10:00:00'], refused: CLOCKS },
    { type: 'time(6)', taken: ['10:00:00.123456'], refused: CLOCKS },
    { type: 'double', taken: DOUBLES.taken.slice(0, 4), refused: DOUBLES.refused },
    { type: 'float', taken: ['0.1'], refused: ['9007199254740993', '0.123456789', '1e-400'] },
    { type: `enum('a','b c')`, taken: ['a', 'b c'], refused: ['a ', 'a  ', 'A', '1', 'b'] },
    { type: 'int', taken: ['7', '-7'], refused: ['0x10', '1.7', '1,5'] },
    { type: 'decimal(6,2)', taken: ['1.50'], refused: ['1.239', '1,5', '1e400'] },
    { type: 'year', taken: ['2024'], refused: ['24'] },
  ],
}

onEachEngine('a value of a file, in a table without a model', [shop], (engine) => {
  const domains = async () => {
    if (engine.dialect !== 'postgres') return
    await shop.query('create domain clock as time')
    await shop.query('create domain cents as numeric(10,2)')
  }

  async function imported(values: readonly string[]): Promise<void> {
    const file = join(engine.harness.folder, 'rows.csv')
    await writeFile(file, `v\n${values.map((value) => `"${value.replaceAll('"', '""')}"`).join('\n')}\n`)
    await importCsv({ file, database: shop, table: 'typed', again: true, given: { delimiter: ',' } })
  }

  for (const { type, taken, refused } of TYPES[engine.dialect]) {
    test(`is held by ${type} as it is, or refuses the file`, async () => {
      await domains()
      await shop.query(`create table typed (v ${type})`)

      // More rows than are bound, so that they come through a temporary table.
      for (const more of [0, 600]) {
        const others = Array.from({ length: more }, () => [taken[0]].flat()[0] as string)
        await imported([...taken.map((value) => [value].flat()[0] as string), ...others])
        const { rows } = await shop.query('select v from typed')
        assert.deepEqual(
          rows.slice(0, taken.length).map(([value]) => value),
          taken.map((value) => [value].flat().at(-1)),
        )
        await shop.query('delete from typed')
        for (const value of refused) {
          await assert.rejects(
            imported([...others, value]),
            ({ message }: Error) => {
              assert.match(message, new RegExp(`line ${more + 2}: .*\\bv\\b.*nothing is imported`, 's'), value)
              return true
            },
            `${type}: ${value}`,
          )
        }
        assert.deepEqual((await shop.query('select v from typed')).rows, [])
      }
    })
  }
})
