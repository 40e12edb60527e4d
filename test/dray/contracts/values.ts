import {
  bigint,
  binary,
  boolean,
  date,
  decimal,
  double,
  integer,
  json,
  text,
  timestamp,
  uuid,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import type { AnyField } from 'dray/internal/active-record/fields.ts'

export const ENGINES = ['postgres', 'mariadb', 'mysql', 'sqlite'] as const
export type Engine = (typeof ENGINES)[number]

/** What an engine's types and literals are written in. */
export type Speech = 'postgres' | 'mysql' | 'sqlite'

export function speechOf(engine: Engine): Speech {
  return engine === 'mariadb' ? 'mysql' : engine
}

/** How a column's values are written as one text, alike in every database, by the database itself. */
export type Form =
  | 'text'
  | 'padded'
  | 'single'
  | 'integer'
  | 'decimal'
  | 'double'
  | 'moment'
  | 'date'
  | 'time'
  | 'boolean'
  | 'binary'
  | 'uuid'

/** A value by the SQL literal of each engine that has it. */
export interface TestValue {
  readonly name: string
  readonly literals: Partial<Readonly<Record<Speech, string>>>
}

/** A kind of column: its field in a model, its type where it is read and where it is written. */
export interface ValueColumn {
  /** The property and the column. */
  readonly name: string
  readonly title: string
  /** The field as it is written in a model. */
  readonly declared: string
  readonly field: AnyField
  readonly form: Form
  readonly source: Partial<Readonly<Record<Speech, string>>>
  readonly target: Readonly<Record<Speech, string>>
  readonly values: readonly TestValue[]
}

function all(name: string, literal: string): TestValue {
  return { name, literals: { postgres: literal, mysql: literal, sqlite: literal } }
}

function only(name: string, literals: TestValue['literals']): TestValue {
  return { name, literals }
}

/** The same characters in each engine, given by their bytes. PostgreSQL has no NUL. */
function characters(name: string, value: string): TestValue {
  const hex = Buffer.from(value, 'utf8').toString('hex')
  const postgres = value.includes('\0') ? {} : { postgres: `convert_from('\\x${hex}', 'UTF8')` }
  return only(name, { ...postgres, mysql: `CONVERT(X'${hex}' USING utf8mb4)`, sqlite: `CAST(X'${hex}' AS TEXT)` })
}

function bytes(name: string, hex: string): TestValue {
  return only(name, { postgres: `'\\x${hex}'::bytea`, mysql: `X'${hex}'`, sqlite: `X'${hex}'` })
}

const NULL = all('NULL', 'NULL')

const WHOLE_NUMBERS: readonly ValueColumn[] = [
  {
    name: 'big',
    title: '64-bit integer',
    declared: 'bigint()',
    field: bigint(),
    form: 'integer',
    source: { postgres: 'bigint', mysql: 'bigint', sqlite: 'INTEGER' },
    target: { postgres: 'bigint', mysql: 'bigint', sqlite: 'INTEGER' },
    values: [all('2^63 − 1', '9223372036854775807'), all('−2^63', '-9223372036854775807 - 1'), all('0', '0'), NULL],
  },
  {
    name: 'unsigned',
    title: 'unsigned 64-bit integer',
    declared: 'bigint()',
    field: bigint(),
    form: 'integer',
    source: { postgres: 'numeric(20,0)', mysql: 'bigint unsigned', sqlite: 'TEXT' },
    target: { postgres: 'numeric(20,0)', mysql: 'bigint unsigned', sqlite: 'TEXT' },
    values: [
      only('2^64 − 1', {
        postgres: '18446744073709551615',
        mysql: '18446744073709551615',
        sqlite: "'18446744073709551615'",
      }),
      only('−1', { postgres: '-1', sqlite: "'-1'" }),
    ],
  },
  {
    name: 'unsigned_into_big',
    title: 'unsigned 64-bit integer, into a signed one',
    declared: 'bigint()',
    field: bigint(),
    form: 'integer',
    source: { postgres: 'numeric(20,0)', mysql: 'bigint unsigned', sqlite: 'TEXT' },
    target: { postgres: 'bigint', mysql: 'bigint', sqlite: 'INTEGER' },
    values: [
      only('2^64 − 1', {
        postgres: '18446744073709551615',
        mysql: '18446744073709551615',
        sqlite: "'18446744073709551615'",
      }),
      only('2^53 + 1', { postgres: '9007199254740993', mysql: '9007199254740993', sqlite: "'9007199254740993'" }),
    ],
  },
  {
    name: 'tiny',
    title: 'small integer, also MySQL’s TINYINT(1)',
    declared: 'integer()',
    field: integer(),
    form: 'integer',
    source: { postgres: 'smallint', mysql: 'tinyint(1)', sqlite: 'INTEGER' },
    target: { postgres: 'smallint', mysql: 'tinyint(1)', sqlite: 'INTEGER' },
    values: [
      all('1', '1'),
      all('2', '2'),
      all('−128', '-128'),
      only('32767', { postgres: '32767', sqlite: '32767' }),
      only('40000', { sqlite: '40000' }),
    ],
  },
  {
    name: 'flag',
    title: 'boolean, also MySQL’s TINYINT(1)',
    declared: 'boolean()',
    field: boolean(),
    form: 'boolean',
    source: { postgres: 'boolean', mysql: 'tinyint(1)', sqlite: 'INTEGER' },
    target: { postgres: 'boolean', mysql: 'tinyint(1)', sqlite: 'INTEGER' },
    values: [all('true', 'true'), all('false', 'false'), only('2', { mysql: '2', sqlite: '2' })],
  },
]

const NUMBERS: readonly ValueColumn[] = [
  {
    name: 'amount',
    title: 'decimal',
    declared: 'decimal(38, 18)',
    field: decimal(38, 18),
    form: 'decimal',
    source: { postgres: 'numeric', mysql: 'decimal(60,30)', sqlite: 'TEXT' },
    target: { postgres: 'numeric(38,18)', mysql: 'decimal(38,18)', sqlite: 'TEXT' },
    values: [
      all('38 digits, 18 behind the point', "'12345678901234567890.123456789012345678'"),
      all('−10^−18', "'-0.000000000000000001'"),
      all('38 nines', "'-99999999999999999999.999999999999999999'"),
      all('1.10', "'1.10'"),
      all('19 digits behind the point', "'0.1234567890123456789'"),
      all('10^20', "'100000000000000000000'"),
      only('NaN', { postgres: "'NaN'", sqlite: "'NaN'" }),
      only('Infinity', { postgres: "'Infinity'", sqlite: "'Infinity'" }),
      only('−Infinity', { postgres: "'-Infinity'", sqlite: "'-Infinity'" }),
    ],
  },
  {
    name: 'numeric_affinity',
    title: 'decimal, into SQLite’s NUMERIC',
    declared: 'decimal(38, 18)',
    field: decimal(38, 18),
    form: 'decimal',
    source: { postgres: 'numeric', mysql: 'decimal(60,30)', sqlite: 'TEXT' },
    target: { postgres: 'numeric(38,18)', mysql: 'decimal(38,18)', sqlite: 'NUMERIC(38,18)' },
    values: [
      all('38 digits, 18 behind the point', "'12345678901234567890.123456789012345678'"),
      all('0.1', "'0.1'"),
      all('12.5', "'12.5'"),
    ],
  },
  {
    name: 'live_scale',
    title: 'decimal, into a column with fewer digits than the model says',
    declared: 'decimal(38, 18)',
    field: decimal(38, 18),
    form: 'decimal',
    source: { postgres: 'numeric', mysql: 'decimal(60,30)', sqlite: 'TEXT' },
    target: { postgres: 'numeric(10,2)', mysql: 'decimal(10,2)', sqlite: 'TEXT' },
    values: [all('1.50', "'1.50'"), all('1.005', "'1.005'")],
  },
  {
    name: 'floating',
    title: 'double',
    declared: 'double()',
    field: double(),
    form: 'double',
    source: { postgres: 'double precision', mysql: 'double', sqlite: 'REAL' },
    target: { postgres: 'double precision', mysql: 'double', sqlite: 'REAL' },
    values: [
      only('0.1 + 0.2', {
        postgres: '0.1::float8 + 0.2::float8',
        mysql: '0.1e0 + 0.2e0',
        sqlite: '0.1e0 + 0.2e0',
      }),
      all('5e−324', '5e-324'),
      all('1.7976931348623157e308', '1.7976931348623157e308'),
      all('123456.789', '123456.789e0'),
      only('−0', { postgres: "'-0'" }),
      only('NaN', { postgres: "'NaN'" }),
      only('Infinity', { postgres: "'Infinity'", sqlite: '9e999' }),
      only('−Infinity', { postgres: "'-Infinity'", sqlite: '-9e999' }),
    ],
  },
  {
    name: 'single',
    title: 'single-precision float',
    declared: 'double()',
    field: double(),
    form: 'single',
    source: { postgres: 'real', mysql: 'float' },
    target: { postgres: 'double precision', mysql: 'double', sqlite: 'REAL' },
    values: [
      only('16777215', { postgres: '16777215', mysql: '16777215' }),
      only('0.1', { postgres: '0.1', mysql: '0.1' }),
    ],
  },
  {
    name: 'into_single',
    title: 'double, into a single-precision float',
    declared: 'double()',
    field: double(),
    form: 'double',
    source: { postgres: 'double precision', mysql: 'double', sqlite: 'REAL' },
    target: { postgres: 'real', mysql: 'float', sqlite: 'REAL' },
    values: [
      all('0.5', '0.5e0'),
      only('0.1 + 0.2', {
        postgres: '0.1::float8 + 0.2::float8',
        mysql: '0.1e0 + 0.2e0',
        sqlite: '0.1e0 + 0.2e0',
      }),
      all('1e300', '1e300'),
    ],
  },
]

const MOMENTS: readonly ValueColumn[] = [
  {
    name: 'instant',
    title: 'time stamp with zone',
    declared: 'timestamp()',
    field: timestamp(),
    form: 'moment',
    source: { postgres: 'timestamptz', mysql: 'timestamp(6)', sqlite: 'TEXT' },
    target: { postgres: 'timestamptz', mysql: 'datetime(6)', sqlite: 'TEXT' },
    values: moments(),
  },
  {
    name: 'mysql_timestamp',
    title: 'time stamp with zone, into MySQL’s TIMESTAMP',
    declared: 'timestamp()',
    field: timestamp(),
    form: 'moment',
    source: { postgres: 'timestamptz', mysql: 'timestamp(6)', sqlite: 'TEXT' },
    target: { postgres: 'timestamptz', mysql: 'timestamp(6) NULL', sqlite: 'TEXT' },
    values: moments(),
  },
  {
    name: 'seconds',
    title: 'time stamp, into a column of whole seconds',
    declared: 'timestamp()',
    field: timestamp(),
    form: 'moment',
    source: { postgres: 'timestamptz', mysql: 'timestamp(6)', sqlite: 'TEXT' },
    target: { postgres: 'timestamptz(0)', mysql: 'datetime', sqlite: 'TEXT' },
    values: [instant('microseconds', '2024-01-02 03:04:05.678901'), instant('a whole second', '2024-01-02 03:04:05')],
  },
  {
    name: 'wall_clock',
    title: 'time stamp without zone',
    declared: 'timestamp()',
    field: timestamp(),
    form: 'moment',
    source: { postgres: 'timestamp', mysql: 'datetime(6)', sqlite: 'TEXT' },
    target: { postgres: 'timestamp', mysql: 'datetime(6)', sqlite: 'TEXT' },
    values: [
      all('microseconds', "'2024-01-02 03:04:05.678901'"),
      all('a time that a DST gap skips', "'2024-03-10 02:30:00'"),
      all('year 0001', "'0001-01-01 00:00:00.000001'"),
      all('year 9999', "'9999-12-31 23:59:59.999999'"),
      only('infinity', { postgres: "'infinity'", sqlite: "'infinity'" }),
      only('before Christ', { postgres: "'0044-03-15 12:00:00 BC'" }),
      only('zero date', { mysql: "'0000-00-00 00:00:00'", sqlite: "'0000-00-00 00:00:00'" }),
      only('month 0', { mysql: "'2024-00-10 00:00:00'", sqlite: "'2024-00-10 00:00:00'" }),
      only('with an offset', { sqlite: "'2024-06-01T12:00:00.5+02:00'" }),
    ],
  },
  {
    name: 'zero_as_text',
    title: 'time stamp without zone, carried as text',
    declared: 'text()',
    field: text(),
    form: 'text',
    source: { mysql: 'datetime' },
    target: { postgres: 'text', mysql: 'varchar(40)', sqlite: 'TEXT' },
    values: [only('zero date', { mysql: "'0000-00-00 00:00:00'" })],
  },
  {
    name: 'day',
    title: 'date',
    declared: 'date()',
    field: date(),
    form: 'date',
    source: { postgres: 'date', mysql: 'date', sqlite: 'TEXT' },
    target: { postgres: 'date', mysql: 'date', sqlite: 'TEXT' },
    values: [
      all('29 February', "'2024-02-29'"),
      all('year 0001', "'0001-01-01'"),
      all('year 9999', "'9999-12-31'"),
      only('infinity', { postgres: "'infinity'" }),
      only('year 12345', { postgres: "'12345-01-01'", sqlite: "'12345-01-01'" }),
      only('before Christ', { postgres: "'0044-03-15 BC'" }),
      only('zero date', { mysql: "'0000-00-00'", sqlite: "'0000-00-00'" }),
      only('30 February', { sqlite: "'2024-02-30'" }),
    ],
  },
  {
    name: 'clock',
    title: 'time of day',
    declared: 'text()',
    field: text(),
    form: 'time',
    source: { postgres: 'time', mysql: 'time(6)', sqlite: 'TEXT' },
    target: { postgres: 'time', mysql: 'time(6)', sqlite: 'TEXT' },
    values: [
      all('microseconds', "'12:34:56.789012'"),
      all('24:00:00', "'24:00:00'"),
      only('−838:59:59', { mysql: "'-838:59:59'", sqlite: "'-838:59:59'" }),
    ],
  },
  {
    name: 'span',
    title: 'interval',
    declared: 'text()',
    field: text(),
    form: 'text',
    source: { postgres: 'interval' },
    target: { postgres: 'interval', mysql: 'varchar(100)', sqlite: 'TEXT' },
    values: [
      only('years to microseconds', { postgres: "'1 year 2 mons -3 days 04:05:06.789012'" }),
      only('minus one month', { postgres: "'-1 mon'" }),
    ],
  },
]

function instant(name: string, utc: string): TestValue {
  return only(name, { postgres: `'${utc}+00'`, mysql: `'${utc}'`, sqlite: `'${utc}'` })
}

function moments(): readonly TestValue[] {
  const beyond = (name: string, utc: string) => only(name, { postgres: `'${utc}+00'`, sqlite: `'${utc}'` })
  return [
    instant('microseconds', '2024-01-02 03:04:05.678901'),
    instant('the second before a DST gap', '2024-03-10 06:59:59.999999'),
    instant('the second after a DST gap', '2024-03-10 07:00:00'),
    instant('the hour that comes twice, first', '2024-11-03 05:30:00'),
    instant('the hour that comes twice, second', '2024-11-03 06:30:00'),
    beyond('the epoch', '1970-01-01 00:00:00'),
    beyond('year 0001', '0001-01-01 00:00:00.000001'),
    beyond('year 9999', '9999-12-31 23:59:59.999999'),
    only('infinity', { postgres: "'infinity'", sqlite: "'infinity'" }),
    only('−infinity', { postgres: "'-infinity'", sqlite: "'-infinity'" }),
    only('zero date', { mysql: "'0000-00-00 00:00:00'" }),
  ]
}

const TRAPS: readonly TestValue[] = [
  characters('empty', ''),
  NULL,
  characters('NUL', 'a\0b'),
  characters('4-byte characters', '😀\u{10FFFF}'),
  characters('combining characters', 'e\u0301 é'),
  characters('U+2028, U+2029', 'a\u2028b\u2029c'),
  characters('byte order mark, non-characters', '\uFEFFa\uFFFE\uFFFF'),
  characters('spaces around', '  a  '),
  characters('tab, line ends, backslashes', 'a\tb\nc\rd\r\n\\e\\\\'),
  characters('\\N', '\\N'),
  characters('\\. (the end of COPY)', '\\.'),
  characters('control characters', '\x01\x08\x0b\x0c\x1a\x1b\x7f'),
  characters('quotes', `'"\`$1?:a%s`),
]

const TEXTS: readonly ValueColumn[] = [
  {
    name: 'words',
    title: 'text',
    declared: 'text()',
    field: text(),
    form: 'text',
    source: { postgres: 'text', mysql: 'longtext', sqlite: 'TEXT' },
    target: { postgres: 'text', mysql: 'longtext', sqlite: 'TEXT' },
    values: [
      ...TRAPS,
      only('1 MB', {
        postgres: "repeat('0123456789abcdeé', 65536)",
        mysql: "REPEAT('0123456789abcdeé', 65536)",
        sqlite: "replace(hex(zeroblob(32768)), '0', '0123456789abcdeé')",
      }),
    ],
  },
  {
    name: 'limited',
    title: 'varchar',
    declared: 'varchar(10)',
    field: varchar(10),
    form: 'text',
    source: { postgres: 'text', mysql: 'longtext', sqlite: 'TEXT' },
    target: { postgres: 'varchar(10)', mysql: 'varchar(10)', sqlite: 'TEXT' },
    values: [
      characters('10 characters', '0123456789'),
      characters('11 characters', '0123456789a'),
      characters('10 characters of 4 bytes', '😀'.repeat(10)),
      characters('a space after 10 characters', '0123456789 '),
      characters('spaces within 10 characters', '0123456  '),
    ],
  },
  {
    name: 'live_limit',
    title: 'text, into a varchar of 10 that the model does not know',
    declared: 'text()',
    field: text(),
    form: 'text',
    source: { postgres: 'text', mysql: 'longtext', sqlite: 'TEXT' },
    target: { postgres: 'varchar(10)', mysql: 'varchar(10)', sqlite: 'TEXT' },
    values: [
      characters('10 characters', '0123456789'),
      characters('11 characters', '0123456789a'),
      characters('a space after 10 characters', '0123456789 '),
    ],
  },
  {
    name: 'padded',
    title: 'char, where PostgreSQL takes spaces at the end for none',
    declared: 'text()',
    field: text(),
    form: 'padded',
    source: { postgres: 'char(3)', mysql: 'char(3)', sqlite: 'TEXT' },
    target: { postgres: 'char(3)', mysql: 'char(3)', sqlite: 'TEXT' },
    values: [
      all('3 characters', "'FIN'"),
      all('2 characters', "'FI'"),
      only('a space at the end', { sqlite: "'FI '" }),
    ],
  },
  {
    name: 'three_bytes',
    title: 'text, into MySQL’s utf8mb3',
    declared: 'text()',
    field: text(),
    form: 'text',
    source: { postgres: 'text', mysql: 'longtext', sqlite: 'TEXT' },
    target: { postgres: 'text', mysql: 'varchar(50) CHARACTER SET utf8mb3', sqlite: 'TEXT' },
    values: [
      characters('4-byte characters', '😀'),
      characters('combining characters', 'e\u0301 é\u2028'),
      characters('spaces at the end', 'a  '),
    ],
  },
  {
    name: 'latin',
    title: 'text, from and into MySQL’s latin1',
    declared: 'text()',
    field: text(),
    form: 'text',
    source: { postgres: 'text', mysql: 'varchar(50) CHARACTER SET latin1', sqlite: 'TEXT' },
    target: { postgres: 'text', mysql: 'varchar(50) CHARACTER SET latin1', sqlite: 'TEXT' },
    values: [characters('é €', 'é €'), only('ł', { postgres: "U&'\\0142'", sqlite: "'ł'" })],
  },
]

const OTHERS: readonly ValueColumn[] = [
  {
    name: 'bytes',
    title: 'bytes',
    declared: 'binary()',
    field: binary(),
    form: 'binary',
    source: { postgres: 'bytea', mysql: 'longblob', sqlite: 'BLOB' },
    target: { postgres: 'bytea', mysql: 'longblob', sqlite: 'BLOB' },
    values: [
      bytes('invalid UTF-8', 'ff00fe80c0af5c784e0a09'),
      bytes('empty', ''),
      bytes('every byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('hex')),
      bytes('NUL at the end', '610000'),
      NULL,
    ],
  },
  {
    name: 'document',
    title: 'JSON',
    declared: 'json()',
    field: json(),
    form: 'text',
    source: { postgres: 'json', mysql: 'longtext', sqlite: 'TEXT' },
    target: { postgres: 'json', mysql: 'longtext', sqlite: 'TEXT' },
    values: [
      all(
        'nested, with large numbers and duplicate keys',
        `'{"a": 12345678901234567890.123456789012345678, "a":{"__proto__":[1,{"b":1e400}]}, "c" :-0}'`,
      ),
      all('null', "'null'"),
      only('no JSON', { mysql: "'{a:1}'", sqlite: "'{a:1}'" }),
    ],
  },
  {
    name: 'own_document',
    title: 'JSON, into MySQL’s own JSON',
    declared: 'json()',
    field: json(),
    form: 'text',
    source: { postgres: 'json', mysql: 'longtext', sqlite: 'TEXT' },
    target: { postgres: 'json', mysql: 'json', sqlite: 'TEXT' },
    values: [
      all('numbers', `'{"a": [1.5, 18446744073709551615, 0.30000000000000004]}'`),
      all('a number that is no double', `'{"a": 0.1234567890123456789}'`),
      all('duplicate keys', `'{"a": 1, "a": 2}'`),
    ],
  },
  {
    name: 'normal_document',
    title: 'JSON, into PostgreSQL’s jsonb',
    declared: 'json()',
    field: json(),
    form: 'text',
    source: { postgres: 'json', mysql: 'longtext', sqlite: 'TEXT' },
    target: { postgres: 'jsonb', mysql: 'longtext', sqlite: 'TEXT' },
    values: [
      all('large number', `'{"a": 12345678901234567890.123456789012345678}'`),
      all('duplicate keys', `'{"a": 1, "a": 2}'`),
    ],
  },
  {
    name: 'identifier',
    title: 'UUID',
    declared: 'uuid()',
    field: uuid(),
    form: 'uuid',
    source: { postgres: 'uuid', mysql: 'char(36)', sqlite: 'TEXT' },
    target: { postgres: 'uuid', mysql: 'char(36)', sqlite: 'TEXT' },
    values: [
      all('in lower case', "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
      all('in upper case', "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12'"),
      only('no UUID', { mysql: "'a0eebc99'", sqlite: "'a0eebc99'" }),
    ],
  },
  {
    name: 'mood',
    title: 'enumeration',
    declared: 'text()',
    field: text(),
    form: 'text',
    source: { postgres: 'mood_wide', mysql: "enum('ok','it''s','angry','1')", sqlite: 'TEXT' },
    target: { postgres: 'mood', mysql: "enum('ok','it''s')", sqlite: 'TEXT' },
    values: [
      all("it's", "'it''s'"),
      all('a value that the target has not', "'angry'"),
      all('a value that is a number', "'1'"),
    ],
  },
  {
    name: 'several',
    title: 'MySQL’s SET',
    declared: 'text()',
    field: text(),
    form: 'text',
    source: { mysql: "set('a','b','c')" },
    target: { postgres: 'text', mysql: "set('a','b')", sqlite: 'TEXT' },
    values: [only('two of it', { mysql: "'a,b'" }), only('one that the target has not', { mysql: "'a,c'" })],
  },
  {
    name: 'bit_string',
    title: 'PostgreSQL’s bit string',
    declared: 'text()',
    field: text(),
    form: 'text',
    source: { postgres: 'bit varying(12)' },
    target: { postgres: 'bit varying(10)', mysql: 'varchar(10)', sqlite: 'TEXT' },
    values: [only('10 bits', { postgres: "B'0000000101'" }), only('11 bits', { postgres: "B'00000001011'" })],
  },
  {
    name: 'bit_field',
    title: 'MySQL’s BIT',
    declared: 'binary()',
    field: binary(),
    form: 'binary',
    source: { mysql: 'bit(10)' },
    target: { postgres: 'bytea', mysql: 'bit(10)', sqlite: 'BLOB' },
    values: [only('10 bits', { mysql: "b'1000000101'" })],
  },
  {
    name: 'bit_flag',
    title: 'MySQL’s BIT(1) as boolean',
    declared: 'boolean()',
    field: boolean(),
    form: 'boolean',
    source: { mysql: 'bit(1)' },
    target: { postgres: 'boolean', mysql: 'tinyint(1)', sqlite: 'INTEGER' },
    values: [only('true', { mysql: "b'1'" }), only('false', { mysql: "b'0'" })],
  },
  {
    name: 'list',
    title: 'PostgreSQL’s array',
    declared: 'text()',
    field: text(),
    form: 'text',
    source: { postgres: 'text[]' },
    target: { postgres: 'text[]', mysql: 'longtext', sqlite: 'TEXT' },
    values: [
      only('quotes, NULL and "NULL"', { postgres: `ARRAY['a,b', 'c"d\\e', NULL, 'NULL', '']` }),
      only('two dimensions, own bounds', { postgres: `'[0:1][2:3]={{a,b},{c,d}}'` }),
      only('empty', { postgres: "'{}'" }),
    ],
  },
]

/** Every column of the matrix. */
export const VALUE_COLUMNS: readonly ValueColumn[] = [
  ...WHOLE_NUMBERS,
  ...NUMBERS,
  ...MOMENTS,
  ...TEXTS,
  ...OTHERS,
].map((column) => ({ ...column, field: column.field.nullable().column(column.name) }))
