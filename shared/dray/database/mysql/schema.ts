import { sql } from 'kysely'
import type { ColumnType, SchemaCapabilities } from '../capabilities.ts'
import type { FieldKind } from '../field-kind.ts'
import { tableNameOf, tableText } from '../table-name.ts'
import { copiedTypes, exactCollation } from './copied-types.ts'
import { liveTypes } from './live-types.ts'
import { withMigrationLock } from './migration-lock.ts'
import { quote, quoteTable } from './names.ts'

const TYPES: Readonly<Record<FieldKind, string>> = {
  bigint: 'bigint',
  integer: 'int',
  text: 'longtext',
  varchar: 'varchar',
  decimal: 'decimal',
  double: 'double',
  boolean: 'tinyint(1)',
  date: 'date',
  timestamp: 'datetime(6)',
  json: 'longtext',
  uuid: 'char(36)',
  binary: 'longblob',
}

/** https://dev.mysql.com/doc/refman/en/innodb-limits.html and fixed-point-types.html */
const MOST_CHARACTERS = 16_383
const MOST_BYTES = 65_532
const MOST_DIGITS = 65
const MOST_SCALE = 30
const MOST_KEY_BYTES = 3072

/** Of the engine's own types those of a few bytes, of which a key may be. */
function isShort(native: string | undefined): boolean {
  return native !== undefined && /^(?:enum|set|time|year|bit|uuid|inet)/i.test(native)
}

/** Numbers, dates and times need few bytes, which are not counted: 16 columns of them are far from the limit. */
function keyBytes({ kind, length, native }: ColumnType): number {
  if (isShort(native)) return 0
  if (kind === 'uuid') return 4 * 36
  if (kind === 'binary') return Number(length)
  return kind === 'varchar' ? 4 * Number(length) : 0
}

const ONE_SPELLING =
  /^((tiny|small|medium|big)?int|decimal|float|double|date|datetime|timestamp|time|year|bit|binary|varbinary)\b/
const PADDED = /^char\b/
const KEPT = /^(varchar|(tiny|medium|long)?text)\b/

export const schema: SchemaCapabilities = {
  columnType({ kind, length, precision, scale, native }) {
    if (native !== undefined) return native
    if (kind === 'varchar') return `${TYPES[kind]}(${length})`
    // BINARY would fill shorter values up with zeros.
    if (kind === 'binary' && length !== null) return `varbinary(${length})`
    if (kind === 'decimal') return `${TYPES[kind]}(${precision},${scale})`
    return TYPES[kind]
  },
  // There are servers that take no table without a primary key.
  temporaryTable(name, select) {
    const table = quote(name)
    const key = sql.raw(`${quote('dray_row')} bigint not null auto_increment primary key`)
    const create = sql`create temporary table ${sql.raw(table)} (${key}) ${select}`
    return { create, table, drop: sql`drop temporary table if exists ${sql.raw(table)}` }
  },
  columnFault({ kind, length, precision, scale }) {
    if (kind === 'varchar' && Number(length) > MOST_CHARACTERS) {
      return `MySQL has at most varchar(${MOST_CHARACTERS}); declare it as text()`
    }
    if (kind === 'binary' && Number(length) > MOST_BYTES) {
      return `MySQL has at most varbinary(${MOST_BYTES}); declare it as binary()`
    }
    if (kind !== 'decimal') return null
    if (precision === null) return 'MySQL has no decimal of any number of digits; declare decimal(65, 30), or text()'
    if (Number(precision) > MOST_DIGITS) {
      return `MySQL has at most ${MOST_DIGITS} digits in a decimal; declare fewer, or text()`
    }
    // MariaDB takes 38; what is made for one is not refused by the other.
    if (Number(scale) > MOST_SCALE) {
      return `MySQL has at most ${MOST_SCALE} digits behind the point; declare a smaller scale, or text()`
    }
    return Number(scale) > Number(precision)
      ? 'MySQL has no more digits behind the point than in all; declare a greater precision, or a smaller scale'
      : null
  },
  keyFault(columns) {
    const whole = columns.find(
      ({ kind, length, native }) =>
        !isShort(native) && (kind === 'text' || kind === 'json' || (kind === 'binary' && length === null)),
    )
    if (whole !== undefined) {
      return `MySQL has no key of ${TYPES[whole.kind]}; declare ${whole.kind === 'binary' ? 'binary(n)' : 'varchar(n)'}`
    }
    const bytes = columns.reduce((sum, column) => sum + keyBytes(column), 0)
    return bytes > MOST_KEY_BYTES
      ? `MySQL keeps ${MOST_KEY_BYTES} bytes of a key, and these may need ${bytes}, four for each character; declare shorter texts (varchar(${MOST_KEY_BYTES / 4}) at most), or a shorter key`
      : null
  },
  createSchema: (schema) => `create schema if not exists ${quote(schema)}`,
  schemaNamed: (name) => sql`select 1 from information_schema.schemata where schema_name = ${name}`,
  numbersMoved: () => null,
  generated: 'auto_increment',
  tableOptions: ' engine=InnoDB character set utf8mb4 collate utf8mb4_bin',
  liveTypes,
  copiedTypes,
  exactCollation,
  storesBytes: () => true,
  spellingOf: (_, type) => {
    if (ONE_SPELLING.test(type)) return 'one'
    if (/^uuid$/i.test(type)) return 'uuid'
    return PADDED.test(type) ? 'padded' : KEPT.test(type) ? 'kept' : 'other'
  },
  sameTexts: () => null,
  isTransactional: false,
  async tableLike(_rows, table, next) {
    return [`create table ${quoteTable(next)} like ${quoteTable(table)}`]
  },
  wholeName(table) {
    const { schema: given, name } = tableNameOf(table)
    const schema = sql`coalesce(${given}, database())`
    const quoted = sql`if(locate('.', ${schema}) > 0, concat('"', ${schema}, '"'), ${schema})`
    const whole = sql`concat(${quoted}, '.', ${tableText({ schema: null, name })})`
    return sql`if(@@lower_case_table_names = 0, ${whole}, lower(${whole}))`
  },
  foreignKeysTo(table) {
    const other = tableNameOf(table)
    return sql`select k.constraint_name, if(k.table_schema = database(), null, k.table_schema), k.table_name,
        k.table_schema = k.referenced_table_schema and k.table_name = k.referenced_table_name, lower(r.delete_rule), k.column_name, k.referenced_column_name
      from information_schema.key_column_usage k join information_schema.referential_constraints r
        on r.constraint_schema = k.constraint_schema and r.constraint_name = k.constraint_name and r.table_name = k.table_name
      where k.referenced_table_schema = coalesce(${other.schema}, database()) and k.referenced_table_name = ${other.name}
      order by k.table_schema, k.table_name, k.constraint_name, k.ordinal_position`
  },
  viewNamed(table) {
    const { schema: given, name } = tableNameOf(table)
    return sql`select 1 from information_schema.tables where table_schema = coalesce(${given}, database()) and table_name = ${name} and table_type like '%VIEW%'`
  },
  reasonsToChange(table) {
    const { schema: given, name } = tableNameOf(table)
    const place = given === null ? sql`database()` : sql`${given}`
    return sql`select 1 from information_schema.triggers where event_object_schema = ${place} and event_object_table = ${name} and action_timing = 'BEFORE'`
  },
  withMigrationLock,
}
