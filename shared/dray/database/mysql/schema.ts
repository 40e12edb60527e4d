import { sql } from 'kysely'
import type { SchemaCapabilities } from '../capabilities.ts'
import type { FieldKind } from '../field-kind.ts'
import { withMigrationLock } from './migration-lock.ts'
import { quoteTable, tableNameOf } from './names.ts'

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

export const schema: SchemaCapabilities = {
  columnType({ kind, length, precision, scale }) {
    if (kind === 'varchar') return `${TYPES[kind]}(${length})`
    if (kind === 'decimal') return `${TYPES[kind]}(${precision},${scale})`
    return TYPES[kind]
  },
  generated: 'auto_increment',
  tableOptions: ' character set utf8mb4 collate utf8mb4_bin',
  enforcesTypes: true,
  isTransactional: false,
  async tableLike(_rows, table, next) {
    return [`create table ${quoteTable(next)} like ${quoteTable(table)}`]
  },
  wholeName(table) {
    const { schema: given, name } = tableNameOf(table)
    const whole = sql`concat(coalesce(${given}, database()), '.', ${name})`
    return sql`if(@@lower_case_table_names = 0, ${whole}, lower(${whole}))`
  },
  foreignKeysTo(table) {
    const other = tableNameOf(table)
    return sql`select k.constraint_name, if(k.table_schema = database(), k.table_name, concat(k.table_schema, '.', k.table_name)),
        k.table_schema = k.referenced_table_schema and k.table_name = k.referenced_table_name, lower(r.delete_rule), k.column_name, k.referenced_column_name
      from information_schema.key_column_usage k join information_schema.referential_constraints r
        on r.constraint_schema = k.constraint_schema and r.constraint_name = k.constraint_name and r.table_name = k.table_name
      where k.referenced_table_schema = coalesce(${other.schema}, database()) and k.referenced_table_name = ${other.name}
      order by k.table_schema, k.table_name, k.constraint_name, k.ordinal_position`
  },
  reasonsToChange(table) {
    const { schema: given, name } = tableNameOf(table)
    const place = given === null ? sql`database()` : sql`${given}`
    return sql`select 1 from information_schema.triggers where event_object_schema = ${place} and event_object_table = ${name} and action_timing = 'BEFORE'`
  },
  withMigrationLock,
}
