import {
  bigint,
  binary,
  boolean,
  date,
  decimal,
  double,
  integer,
  text,
  timestamp,
  uuid,
} from 'dray/internal/active-record/field-kinds.ts'
import type { AnyField } from 'dray/internal/active-record/fields.ts'
import fc from 'fast-check'
import { type Engine, type Form, type Speech, speechOf, VALUE_COLUMNS } from '#test/contracts/values.ts'

/** A value as a literal of its source's SQL; `plain`: one that each type of its kind holds, and that is no other's. */
export interface Cell {
  readonly sql: string
  readonly plain: boolean
}

/** What a column may be at the source and at the target. */
export interface Kind {
  readonly name: string
  readonly field: () => AnyField
  readonly form: Form
  readonly source: (engine: Engine) => readonly string[]
  readonly target: (engine: Engine) => readonly string[]
  readonly cells: (engine: Engine) => fc.Arbitrary<Cell>
}

type Types = Partial<Readonly<Record<Engine, readonly string[]>>>

const of = (types: Types) => (engine: Engine) => types[engine] ?? []

/** On both servers that speak MySQL. */
const mysql = (...types: string[]) => ({ mariadb: types, mysql: types })

/** Characters by their bytes, so that no escape of an engine has a say. */
export function characters(speech: Speech, value: string): string {
  const hex = Buffer.from(value, 'utf8').toString('hex')
  if (speech === 'postgres') return `convert_from('\\x${hex}', 'UTF8')`
  return speech === 'mysql' ? `CONVERT(X'${hex}' USING utf8mb4)` : `CAST(X'${hex}' AS TEXT)`
}

function bytes(speech: Speech, hex: string): string {
  return speech === 'postgres' ? `'\\x${hex}'::bytea` : `X'${hex}'`
}

/** Half of the values are plain. */
function cells(
  plain: readonly string[],
  odd: readonly string[],
  sql: (speech: Speech, value: string) => string,
): (engine: Engine) => fc.Arbitrary<Cell> {
  return (engine) => {
    const cell = (isPlain: boolean) => (value: string) => ({ sql: sql(speechOf(engine), value), plain: isPlain })
    const storable = odd.filter((value) => !(engine === 'postgres' && value.includes('\0')))
    return fc.oneof(fc.constantFrom(...plain).map(cell(true)), fc.constantFrom(...storable).map(cell(false)))
  }
}

const few = (count: number, value: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => value(index))
const bare = (_: Speech, value: string) => value
const quoted = (_: Speech, value: string) => `'${value}'`

const WORDS = [
  'ann',
  'Ann',
  'ANN',
  'änn',
  'Änn',
  'ann ',
  'ann  ',
  ' ann',
  'a',
  'A',
  'á',
  'ß',
  'ss',
  'ſ',
  's',
  'é',
  'e\u0301',
]
const ODD_WORDS = [
  '',
  ' ',
  '\t',
  "o'k",
  'b\\',
  '\\N',
  '\\.',
  '😀',
  '😁',
  'i',
  'I',
  'İ',
  'ı',
  'ﬁ',
  'fi',
  '1',
  '01',
  '1.0',
  'a\0',
  '\n',
  'a\u200bb',
  'ab',
  'NULL',
  'ä',
  'a\u0308',
  'x'.repeat(40),
]
const UUIDS = ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12']

/** Kinds that a key can be of. */
export const KEY_KINDS: readonly Kind[] = [
  {
    name: 'whole number',
    field: bigint,
    form: 'integer',
    source: of({
      postgres: ['smallint', 'integer', 'bigint', 'numeric(20,0)', 'number'],
      ...mysql('tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'int unsigned', 'bigint unsigned', 'decimal(20,0)'),
      sqlite: ['INTEGER', 'INT', 'BIGINT', 'NUMERIC'],
    }),
    target: of({
      postgres: ['smallint', 'integer', 'bigint', 'numeric(20,0)', 'number'],
      ...mysql('tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'int unsigned', 'bigint unsigned', 'decimal(20,0)'),
      sqlite: ['INTEGER', 'INT', 'BIGINT', 'NUMERIC'],
    }),
    cells: cells(
      few(60, (index) => String(index + 1)),
      [
        '0',
        '-1',
        '127',
        '128',
        '255',
        '256',
        '-129',
        '32768',
        '-32769',
        '65536',
        '8388608',
        '2147483648',
        '4294967296',
        '9007199254740993',
        '9223372036854775807',
      ],
      bare,
    ),
  },
  {
    name: 'UUID',
    field: uuid,
    form: 'uuid',
    source: of({
      postgres: ['uuid', 'text', 'varchar(60)'],
      mariadb: ['uuid', 'char(60)', 'varchar(60) collate utf8mb4_bin'],
      mysql: ['char(60)', 'varchar(60) collate utf8mb4_bin'],
      sqlite: ['TEXT', 'TEXT COLLATE NOCASE'],
    }),
    target: of({
      postgres: ['uuid', 'text'],
      mariadb: ['uuid', 'char(36)', 'varchar(60) collate utf8mb4_bin'],
      mysql: ['char(36)', 'varchar(60) collate utf8mb4_bin'],
      sqlite: ['TEXT', 'TEXT COLLATE NOCASE'],
    }),
    cells: cells(
      few(30, (index) => `c0eebc99-9c0b-4ef8-bb6d-6bb9bd38${String(index + 1000)}`),
      UUIDS.flatMap((id) => [id, id.toUpperCase(), `{${id}}`, id.replaceAll('-', '')]),
      quoted,
    ),
  },
  {
    name: 'text',
    field: text,
    form: 'text',
    source: of({
      postgres: ['text', 'varchar(40)', 'text collate "C"', 'citext', 'words', 'text collate insensitive'],
      mariadb: ['varchar(40)', 'varchar(40) collate utf8mb4_bin', 'varchar(40) collate utf8mb4_uca1400_ai_ci'],
      mysql: [
        'varchar(40)',
        'varchar(40) collate utf8mb4_bin',
        'varchar(40) collate utf8mb4_0900_ai_ci',
        'varchar(40) collate utf8mb4_0900_as_cs',
      ],
      sqlite: ['TEXT', 'TEXT COLLATE NOCASE', 'TEXT COLLATE RTRIM', 'VARCHAR(40)'],
    }),
    target: of({
      postgres: [
        'text',
        'varchar(40)',
        'varchar(5)',
        'text collate "C"',
        'citext',
        'words',
        'text collate insensitive',
      ],
      mariadb: [
        'varchar(40)',
        'varchar(5)',
        'varchar(40) collate utf8mb4_bin',
        'varchar(40) collate utf8mb4_uca1400_ai_ci',
        'varchar(40) collate utf8mb4_nopad_bin',
        'varchar(40) character set latin1',
      ],
      mysql: [
        'varchar(40)',
        'varchar(5)',
        'varchar(40) collate utf8mb4_bin',
        'varchar(40) collate utf8mb4_0900_ai_ci',
        'varchar(40) collate utf8mb4_0900_bin',
        'varchar(40) character set latin1',
      ],
      sqlite: ['TEXT', 'TEXT COLLATE NOCASE', 'TEXT COLLATE RTRIM', 'VARCHAR(40)'],
    }),
    cells: cells(
      few(30, (index) => `p${index + 10}q`),
      [...WORDS, ...ODD_WORDS],
      characters,
    ),
  },
  {
    name: 'padded text',
    field: text,
    form: 'padded',
    source: of({
      postgres: ['char(5)', 'text'],
      ...mysql('char(5)', 'varchar(40)'),
      sqlite: ['TEXT', 'CHAR(5)'],
    }),
    target: of({
      postgres: ['char(5)', 'text'],
      ...mysql('char(5)', 'char(5) collate utf8mb4_bin', 'varchar(40)'),
      sqlite: ['TEXT', 'CHAR(5)'],
    }),
    cells: cells(
      few(30, (index) => `p${index + 10}qr`),
      WORDS,
      characters,
    ),
  },
  {
    name: 'decimal',
    field: () => decimal(20, 4),
    form: 'decimal',
    source: of({
      postgres: ['numeric', 'numeric(20,4)'],
      ...mysql('decimal(20,4)', 'decimal(30,10)'),
      sqlite: ['TEXT'],
    }),
    target: of({
      postgres: ['numeric', 'numeric(20,4)', 'numeric(10,2)'],
      ...mysql('decimal(20,4)', 'decimal(10,2)', 'decimal(30,10)'),
      sqlite: ['TEXT', 'NUMERIC'],
    }),
    cells: cells(
      few(30, (index) => `${index + 100}.5`),
      ['1', '1.0', '1.00', '0', '-1', '1.005', '0.0001', '0.1', '1234567890123456.7891', '99999999.99'],
      quoted,
    ),
  },
  {
    name: 'double',
    field: double,
    form: 'double',
    source: of({ postgres: ['double precision'], ...mysql('double'), sqlite: ['REAL'] }),
    target: of({ postgres: ['double precision'], ...mysql('double'), sqlite: ['REAL'] }),
    cells: cells(
      few(30, (index) => `${index + 100}.5e0`),
      ['0e0', '1e0', '0.1e0', '0.30000000000000004e0', '-1.5e0', '123456789012e0', '5e-324', '1.7976931348623157e308'],
      bare,
    ),
  },
  {
    name: 'single',
    field: double,
    form: 'single',
    source: of({ postgres: ['real'], ...mysql('float') }),
    target: of({
      postgres: ['real', 'double precision'],
      ...mysql('float', 'double'),
      sqlite: ['REAL'],
    }),
    cells: cells(
      few(30, (index) => `${index + 100}.5`),
      ['0', '1', '0.25', '-1.5', '16777215', '0.0009765625'],
      bare,
    ),
  },
  {
    name: 'bytes',
    field: binary,
    form: 'binary',
    source: of({ postgres: ['bytea'], ...mysql('varbinary(16)', 'binary(4)'), sqlite: ['BLOB'] }),
    target: of({ postgres: ['bytea'], ...mysql('varbinary(16)', 'binary(4)'), sqlite: ['BLOB'] }),
    cells: cells(
      few(30, (index) => `7071${(index + 32).toString(16)}7e`),
      ['', '00', '0000', '61', '6100', '61000000', '41', '6120', 'ff', 'c3a9', '5c4e', '80', '0a'],
      bytes,
    ),
  },
  {
    name: 'moment',
    field: timestamp,
    form: 'moment',
    source: of({
      postgres: ['timestamptz', 'timestamp'],
      ...mysql('datetime(6)', 'timestamp(6)', 'datetime'),
      sqlite: ['TEXT'],
    }),
    target: of({
      postgres: ['timestamptz', 'timestamp', 'timestamptz(0)'],
      ...mysql('datetime(6)', 'timestamp(6)', 'datetime'),
      sqlite: ['TEXT'],
    }),
    cells: cells(
      few(30, (index) => `2024-05-01 00:00:${index + 10}`),
      [
        '2024-03-10 02:30:00',
        '2024-11-03 05:30:00',
        '2024-11-03 06:30:00',
        '2024-01-02 03:04:05.678901',
        '2024-01-02 03:04:05.5',
        '2024-01-02 03:04:05',
        '1999-12-31 23:59:59.999999',
        '0001-01-01 00:00:00',
        '9999-12-31 23:59:59',
      ],
      quoted,
    ),
  },
  {
    name: 'day',
    field: date,
    form: 'date',
    source: of({ postgres: ['date'], ...mysql('date'), sqlite: ['TEXT'] }),
    target: of({ postgres: ['date'], ...mysql('date'), sqlite: ['TEXT'] }),
    cells: cells(
      few(20, (index) => `2024-06-${index + 10}`),
      ['2024-02-29', '0001-01-01', '9999-12-31', '1900-01-01'],
      quoted,
    ),
  },
  {
    name: 'boolean',
    field: boolean,
    form: 'boolean',
    source: of({ postgres: ['boolean'], ...mysql('tinyint(1)', 'bit(1)'), sqlite: ['INTEGER'] }),
    target: of({ postgres: ['boolean'], ...mysql('tinyint(1)'), sqlite: ['INTEGER'] }),
    cells: cells(['true', 'false'], ['true', 'false'], bare),
  },
  {
    name: 'year',
    field: integer,
    // As a number: MySQL writes the year 0 with four digits.
    form: 'boolean',
    source: of({ ...mysql('year') }),
    target: of({ postgres: ['smallint', 'integer'], ...mysql('year', 'smallint'), sqlite: ['INTEGER'] }),
    cells: cells(
      few(30, (index) => String(1990 + index)),
      ['1901', '2155', '0'],
      bare,
    ),
  },
  {
    name: 'enumeration',
    field: text,
    form: 'text',
    source: of({ postgres: ['mood_wide', 'text'], ...mysql("enum('ok','it''s','angry','1')"), sqlite: ['TEXT'] }),
    target: of({
      postgres: ['mood_wide', 'mood', 'text'],
      ...mysql("enum('ok','it''s','angry','1')", "enum('ok','it''s')", "enum('1','angry','it''s','ok')", 'varchar(40)'),
      sqlite: ['TEXT'],
    }),
    cells: cells(['ok'], ["it''s", 'angry', '1'], quoted),
  },
  {
    name: 'set',
    field: text,
    form: 'text',
    source: of({ ...mysql("set('a','b','c')") }),
    target: of({ postgres: ['text'], ...mysql("set('a','b','c')", "set('a','b')", 'varchar(40)'), sqlite: ['TEXT'] }),
    cells: cells(['a', 'b'], ['', 'a,b', 'c', 'a,c', 'a,b,c'], quoted),
  },
]

/** A value of each kind of the matrix that all of its types hold. */
const PLAIN: Readonly<Record<string, string>> = {
  big: '7',
  unsigned: "'7'",
  unsigned_into_big: "'7'",
  tiny: '1',
  flag: 'true',
  amount: "'1.5'",
  numeric_affinity: "'12.5'",
  live_scale: "'1.50'",
  floating: '0.5e0',
  into_single: '0.5e0',
  wall_clock: "'2024-01-02 03:04:05'",
  day: "'2024-02-29'",
  clock: "'12:34:56'",
  words: "'plain'",
  limited: "'plain'",
  live_limit: "'plain'",
  padded: "'FIN'",
  three_bytes: "'plain'",
  latin: "'plain'",
  identifier: "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
  mood: "'ok'",
}

const NULL_CELL: Cell = { sql: 'NULL', plain: true }
const ANY_TEXT = new Set(['words', 'live_limit', 'limited', 'three_bytes'])

/** The kinds of the value matrix, for what is no key. */
export const EXTRA_KINDS: readonly Kind[] = VALUE_COLUMNS.map((column) => ({
  name: column.name,
  field: () => column.field,
  form: column.form,
  source: (engine) => [column.source[speechOf(engine)]].filter((type) => type !== undefined),
  target: (engine) => [column.target[speechOf(engine)]],
  cells: (engine) => {
    const speech = speechOf(engine)
    const odd = column.values.filter(({ name }) => name !== '1 MB').flatMap(({ literals }) => literals[speech] ?? [])
    const plain = PLAIN[column.name]
    return fc.oneof(
      fc.constant(NULL_CELL),
      ...(plain === undefined ? [] : [fc.constant({ sql: plain, plain: true })]),
      ...(odd.length === 0 ? [] : [fc.constantFrom(...odd).map((sql) => ({ sql, plain: false }))]),
      ...(ANY_TEXT.has(column.name) ? [anyText(speech)] : []),
    )
  },
}))

function anyText(speech: Speech): fc.Arbitrary<Cell> {
  return fc
    .string({ unit: 'binary', maxLength: 12 })
    .filter((value) => !(speech === 'postgres' && value.includes('\0')))
    .map((value) => ({ sql: characters(speech, value), plain: false }))
}
