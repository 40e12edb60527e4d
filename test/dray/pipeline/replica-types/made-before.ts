import type { Engine } from '#test/contracts/values.ts'

/** A type with the one that copies had for it before they had the source's own, and how both are written alike. */
interface FormerType {
  readonly type: string
  readonly made: string
  readonly values: readonly string[]
  readonly text: (column: string) => string
}

const asText = (column: string) => `${column}::text`
const same = (column: string) => column
const former = (
  type: string,
  made: string,
  values: readonly string[],
  text: (column: string) => string = same,
): FormerType => ({ type, made, values, text })

const MYSQL = [
  former('tinyint', 'int', ['-128', '127']),
  former('int unsigned', 'bigint', ['4294967295', '0']),
  former('bigint unsigned', 'decimal(20,0)', ['18446744073709551615', '1']),
  former('year', 'int', ['2155', '0'], (column) => `${column} + 0`),
  former('time', 'longtext', ["'-838:59:59'"], (column) => `concat(${column})`),
  former("enum('a','b')", 'longtext', ["'b'"], (column) => `concat(${column})`),
  former('datetime(3)', 'datetime(6)', ["'2024-03-31 02:30:00.123'"], (column) => `cast(${column} as datetime(6))`),
  former('timestamp(6) null', 'datetime(6)', ["'2024-03-31 02:30:00.123456'"]),
  former('mediumtext', 'longtext', ["'medium'"]),
  former('char(8)', 'varchar(8)', ["'a'"]),
  former('bit(10)', 'longblob', ["b'1010101010'"], (column) => `lpad(hex(${column}), 4, '0')`),
  former('varbinary(9)', 'longblob', ['0x00FF'], (column) => `hex(${column})`),
]

export const MADE_BEFORE: Readonly<Record<Engine, readonly FormerType[]>> = {
  postgres: [
    former(
      'timestamp without time zone',
      'timestamptz',
      ["'2024-03-31 02:30:00.123456'", "'infinity'"],
      (column) => `${column}::timestamp::text`,
    ),
    former('smallint', 'integer', ['-32768'], asText),
    former('real', 'double precision', ['0.1'], asText),
    former('character(8)', 'varchar(8)', ["'a'"], (column) => `rtrim(${column})`),
    former('integer[]', 'text', ["'{1,NULL}'"], asText),
    former('interval', 'text', ["'1 mon 00:00:01'"], asText),
    former('inet', 'text', ["'10.0.0.1/8'"], (column) => `${column}::inet::text`),
    former('bit(10)', 'text', ["B'1010101010'"], asText),
    former('bit(1)', 'boolean', ["B'1'", "B'0'"], (column) => `${column}::text in ('1', 'true')`),
    former('mood', 'text', ["'it''s'"], asText),
    former('jsonb', 'json', [`'{"a": 1}'`], (column) => `${column}::jsonb::text`),
    former('oid', 'bigint', ['4294967295'], asText),
    former('time without time zone', 'text', ["'24:00:00'"], asText),
  ],
  mysql: [...MYSQL, former('json', 'longtext', [`'{"a": 1}'`], (column) => `concat(${column})`)],
  mariadb: MYSQL,
  sqlite: [
    former('NUMERIC(10,2)', 'TEXT', ['1.5'], (column) => `cast(${column} as text)`),
    former('DATETIME', 'TEXT', ["'2024-01-01 10:00:00'"]),
    former('BIGINT', 'INTEGER', ['5']),
  ],
}
