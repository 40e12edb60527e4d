import { sql } from 'kysely'
import type { SchemaCapabilities } from '../capabilities.ts'
import type { FieldKind } from '../field-kind.ts'
import { tableNameOf, tableText } from '../table-name.ts'
import { affinityOf } from './affinity.ts'
import { copiedTypes } from './copied-types.ts'
import { withMigrationLock } from './migration-lock.ts'
import { quote, quoteTable } from './names.ts'
import { sameTexts } from './same-texts.ts'

const TYPES: Readonly<Record<FieldKind, string>> = {
  bigint: 'INTEGER',
  integer: 'INTEGER',
  text: 'TEXT',
  varchar: 'TEXT',
  // It would make a double of a NUMERIC: text keeps every digit.
  decimal: 'TEXT',
  double: 'REAL',
  boolean: 'INTEGER',
  date: 'TEXT',
  timestamp: 'TEXT',
  json: 'TEXT',
  uuid: 'TEXT',
  binary: 'BLOB',
}

const FIRST_NAME = String.raw`(?:"(?:[^"]|"")*"|\x60(?:[^\x60]|\x60\x60)*\x60|\[[^\]]*\]|'(?:[^']|'')*'|[^\s("]+)`
const CREATE_TABLE = new RegExp(`^CREATE TABLE\\s+${FIRST_NAME}`, 'i')
const CREATE_INDEX = new RegExp(`^CREATE UNIQUE INDEX\\s+${FIRST_NAME}\\s+ON\\s+${FIRST_NAME}`, 'i')
const STATEMENTS =
  "select type, sql, name from sqlite_schema where tbl_name = ? and sql is not null and (type = 'table' or sql like 'CREATE UNIQUE INDEX%') order by type desc"

/** Kinds that refuse what a column of numbers holds else: text that is no number. */
const WHOLE_NUMBERS: ReadonlySet<FieldKind> = new Set(['bigint', 'integer', 'boolean'])

export const schema: SchemaCapabilities = {
  columnType: ({ kind, native }) => native ?? TYPES[kind],
  columnFault: () => null,
  keyFault: () => null,
  temporaryTable(name, select) {
    const table = `temp.${quote(name)}`
    const create = sql`create temporary table ${sql.raw(quote(name))} as ${select}`
    return { create, table, drop: sql`drop table if exists ${sql.raw(table)}` }
  },
  createSchema: () => null,
  schemaNamed: (name) => sql`select 1 from pragma_database_list where name = ${name} collate nocase`,
  numbersMoved: () => null,
  generated: null,
  tableOptions: '',
  liveTypes: null,
  copiedTypes,
  // One without a type takes texts as they are, those that look like bytes among them.
  storesBytes: (type) => type !== '' && affinityOf(type) === 'BLOB',
  spellingOf: (kind, type) => {
    const affinity = affinityOf(type)
    if (affinity === 'INTEGER' && WHOLE_NUMBERS.has(kind)) return 'one'
    return affinity === 'TEXT' || affinity === 'BLOB' ? 'kept' : 'other'
  },
  sameTexts,
  isTransactional: true,
  async tableLike(rows, table, next, indexName) {
    const found = await rows(STATEMENTS, [ownName(table)])
    const to = quoteTable(next)
    return found.map(([type, text, name]) =>
      type === 'table'
        ? (text ?? '').replace(CREATE_TABLE, () => `CREATE TABLE ${to}`)
        : (text ?? '').replace(CREATE_INDEX, () => `CREATE UNIQUE INDEX ${quote(indexName(name ?? ''))} ON ${to}`),
    )
  },
  wholeName(table) {
    const { schema: given, name } = tableNameOf(table)
    return sql`lower(${tableText({ schema: given ?? 'main', name })})`
  },
  foreignKeysTo: (table) =>
    sql`select m.name || ' ' || f.id, null, m.name, lower(m.name) = lower(f."table"), lower(f.on_delete), f."from",
        coalesce(f."to", (select name from pragma_table_info(f."table") where pk = f.seq + 1))
      from sqlite_schema m, pragma_foreign_key_list(m.name) f
      where m.type = 'table' and lower(f."table") = lower(${ownName(table)}) order by m.name, f.id, f.seq`,
  viewNamed: (table) =>
    sql`select 1 from pragma_table_list where type = 'view' and name = ${ownName(table)} collate nocase`,
  reasonsToChange: (table) =>
    sql`select 1 from sqlite_master where type = 'trigger' and tbl_name = ${ownName(table)} collate nocase`,
  withMigrationLock,
}

function ownName(table: string): string {
  return tableNameOf(table).name
}
