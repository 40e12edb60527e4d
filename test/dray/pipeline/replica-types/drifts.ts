import type { Engine } from '#test/contracts/values.ts'

/** A change of a column's type at the source, and what a run does about it. */
interface Drift {
  readonly from: string
  readonly values: readonly string[]
  /** The statements that change the column. */
  readonly to: (column: string) => readonly string[]
  /** A value that only the later type holds. */
  readonly later: string
  readonly becomes: 'followed' | 'said' | 'let be'
  /** What the copy has in the end. */
  readonly has: string
}

const typed =
  (type: string, using = '') =>
  (column: string) => [`alter table drifted alter column ${column} type ${type}${using.replaceAll('C', column)}`]
const modified = (type: string) => (column: string) => [`alter table drifted modify ${column} ${type} null`]

const MYSQL: readonly Drift[] = [
  {
    from: "enum('a','b')",
    values: ["'b'"],
    to: modified("enum('a','b','c')"),
    later: "'c'",
    becomes: 'followed',
    has: "enum('a','b','c')",
  },
  {
    from: "enum('p','q')",
    values: ["'q'"],
    to: modified("enum('p','new','q')"),
    later: "'new'",
    becomes: 'followed',
    has: "enum('p','q','new')",
  },
  {
    from: "set('x','y')",
    values: ["'x,y'"],
    to: modified("set('x','y','z')"),
    later: "'x,z'",
    becomes: 'followed',
    has: "set('x','y','z')",
  },
  {
    from: 'varchar(5)',
    values: ["'a'"],
    to: modified('varchar(10)'),
    later: "'abcdefghij'",
    becomes: 'followed',
    has: 'varchar(10)',
  },
  {
    from: 'varchar(10)',
    values: ["'a'"],
    to: modified('varchar(4)'),
    later: "'abcd'",
    becomes: 'let be',
    has: 'varchar(10)',
  },
  { from: 'int unsigned', values: ['1'], to: modified('int'), later: '-1', becomes: 'said', has: 'bigint' },
  {
    from: 'decimal(5,2)',
    values: ['1.10'],
    to: modified('decimal(8,2)'),
    later: '123456.78',
    becomes: 'said',
    has: 'decimal(8,2)',
  },
  {
    from: 'datetime',
    values: ["'2024-01-01 00:00:00'"],
    to: modified('datetime(6)'),
    later: "'2024-01-01 00:00:00.123456'",
    becomes: 'said',
    has: 'datetime(6)',
  },
  {
    from: 'time',
    values: ["'00:00:01'"],
    to: modified('time(3)'),
    later: "'00:00:01.125'",
    becomes: 'said',
    has: 'time(3)',
  },
  {
    from: 'bit(4)',
    values: ["b'1010'"],
    to: modified('bit(10)'),
    later: "b'1010101010'",
    becomes: 'said',
    has: 'bit(10)',
  },
  { from: 'float', values: ['0.5'], to: modified('double'), later: '0.1', becomes: 'said', has: 'double' },
  {
    from: 'varbinary(3)',
    values: ['0x00'],
    to: modified('varbinary(9)'),
    later: '0x000102030405',
    becomes: 'followed',
    has: 'varbinary(9)',
  },
  { from: 'tinytext', values: ["'a'"], to: modified('text'), later: "repeat('x', 300)", becomes: 'said', has: 'text' },
]

export const DRIFTS: Readonly<Record<Engine, readonly Drift[]>> = {
  postgres: [
    {
      from: 'character varying(5)',
      values: ["'a'"],
      to: typed('varchar(10)'),
      later: "'abcdefghij'",
      becomes: 'followed',
      has: 'character varying(10)',
    },
    {
      from: 'character varying(10)',
      values: ["'a'"],
      to: typed('varchar(4)'),
      later: "'abcd'",
      becomes: 'let be',
      has: 'character varying(10)',
    },
    { from: 'smallint', values: ['1'], to: typed('integer'), later: '40000', becomes: 'said', has: 'integer' },
    {
      from: 'numeric(5,2)',
      values: ['1.10'],
      to: typed('numeric(8,2)'),
      later: '123456.78',
      becomes: 'followed',
      has: 'numeric(8,2)',
    },
    {
      from: 'timestamp(0) without time zone',
      values: ["'2024-01-01 00:00:00'"],
      to: typed('timestamp(6)'),
      later: "'2024-01-01 00:00:00.123456'",
      becomes: 'followed',
      has: 'timestamp(6) without time zone',
    },
    {
      from: 'interval(0)',
      values: ["'1 day'"],
      to: typed('interval(3)'),
      later: "'00:00:00.125'",
      becomes: 'said',
      has: 'interval(3)',
    },
    {
      from: 'bit varying(3)',
      values: ["B'101'"],
      to: typed('bit varying(9)'),
      later: "B'101010101'",
      becomes: 'said',
      has: 'bit varying(9)',
    },
    {
      from: 'integer[]',
      values: ["'{1}'"],
      to: typed('text[]', ' using C::text[]'),
      later: "'{a}'",
      becomes: 'said',
      has: 'text[]',
    },
    {
      from: 'real',
      values: ['0.5'],
      to: typed('double precision'),
      later: '0.1',
      becomes: 'said',
      has: 'double precision',
    },
    {
      from: 'character(3)',
      values: ["'a'"],
      to: typed('character(5)'),
      later: "'abcde'",
      becomes: 'said',
      has: 'character(5)',
    },
    {
      from: 'mood',
      values: ["'ok'"],
      to: (column) => [
        "create type mood_later as enum ('ok', 'later')",
        `alter table drifted alter column ${column} type mood_later using ${column}::text::mood_later`,
      ],
      later: "'later'",
      becomes: 'said',
      has: 'mood_later',
    },
  ],
  mysql: MYSQL,
  mariadb: MYSQL,
  sqlite: [],
}
