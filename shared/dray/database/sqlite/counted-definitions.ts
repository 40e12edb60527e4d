import type { DatabaseSync } from 'node:sqlite'
import type { Stored } from './values.ts'

/**
 * What has been defined through Dray in a file that is a target: the row without a name counts all of it, one with a
 * name what may have made that table anew, and one with a column that it was added.
 */
export const COUNTS = 'dray_defined'

const DEFINES = /^\s*(?:create|drop|alter)\b/i
const ALTERS = /^\s*alter\b/i
const TEMPORARY = /^\s*create\s+temp/i

/** Objects that it takes a statement each to make. */
export const TABLES = "type = 'table' and name not like 'sqlite\\_%' escape '\\'"
export const OTHERS = "type <> 'table' and sql is not null"

const SCHEMA = `select type, name, sql, ${TABLES}, ${OTHERS} from sqlite_schema`
const COLUMNS = `
  select m.name, x.name from sqlite_schema m join pragma_table_xinfo(m.name) x where m.type = 'table' order by m.name, x.cid`
const COUNT = `
  insert into ${COUNTS} (name, added, moves, tables, others) values (?, ?, ?, ?, ?)
  on conflict (name, added) do update set moves = moves + excluded.moves, tables = tables + excluded.tables, others = others + excluded.others`

interface Schema {
  readonly version: bigint
  readonly tables: number
  readonly others: number
  /** Texts of tables and views. */
  readonly texts: ReadonlyMap<string, string>
  /** Empty unless asked for. */
  readonly columns: ReadonlyMap<string, readonly string[]>
}

/** Does a statement and, where it defines something in a file that is a target, counts it in the same transaction. */
export function counted<T>(database: DatabaseSync, sql: string, define: () => T): T {
  if (!DEFINES.test(sql) || TEMPORARY.test(sql) || !isTarget(database)) return define()
  if (database.isTransaction) return defineAndCount(database, sql, define)
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = defineAndCount(database, sql, define)
    database.exec('COMMIT')
    return result
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

function isTarget(database: DatabaseSync): boolean {
  return rowsOf(database, "select 1 from sqlite_schema where type = 'table' and name = 'dray_migration'").length > 0
}

function defineAndCount<T>(database: DatabaseSync, sql: string, define: () => T): T {
  const hasColumns = ALTERS.test(sql)
  const before = schemaOf(database, hasColumns)
  const result = define()
  if (versionOf(database) === before.version) return result
  database.exec(
    `create table if not exists ${COUNTS} (name text, added text, moves integer not null, tables integer not null, others integer not null, primary key (name, added)) without rowid`,
  )
  const after = schemaOf(database, hasColumns)
  const moves = after.version - before.version
  const count = database.prepare(COUNT)
  count.run('', '', moves, after.tables - before.tables, after.others - before.others)
  for (const [name, added] of changes(before, after)) count.run(name, added, moves, 0, 0)
  return result
}

/** The tables, each with the column that it has come to have; with none where it may be another one. */
function changes(before: Schema, after: Schema): (readonly [name: string, added: string])[] {
  const names = new Set([...before.texts.keys(), ...after.texts.keys()])
  return [...names].flatMap((name) => {
    if (before.texts.get(name) === after.texts.get(name)) return []
    const [former = [], now = []] = [before.columns.get(name), after.columns.get(name)]
    const isLonger = former.length > 0 && former.every((column, place) => column === now[place])
    return isLonger ? now.slice(former.length).map((column) => [name, column] as const) : [[name, ''] as const]
  })
}

function schemaOf(database: DatabaseSync, hasColumns: boolean): Schema {
  const objects = rowsOf(database, SCHEMA) as [string, string, string | null, bigint, bigint | null][]
  const columns = new Map<string, string[]>()
  for (const [table, column] of hasColumns ? (rowsOf(database, COLUMNS) as [string, string][]) : []) {
    columns.set(table, [...(columns.get(table) ?? []), column])
  }
  return {
    version: versionOf(database),
    tables: objects.filter(([, , , isTable]) => isTable === 1n).length,
    others: objects.filter(([, , , , isOther]) => isOther === 1n).length,
    texts: new Map(
      objects.filter(([type]) => type === 'table' || type === 'view').map(([, name, sql]) => [name, sql ?? '']),
    ),
    columns,
  }
}

function versionOf(database: DatabaseSync): bigint {
  return rowsOf(database, 'pragma schema_version')[0]?.[0] as bigint
}

function rowsOf(database: DatabaseSync, sql: string): readonly (readonly Stored[])[] {
  return database.prepare(sql).all() as unknown as Stored[][]
}
