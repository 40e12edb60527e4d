import { TerminalError } from '#dray/errors.ts'
import type { LiveTable, MergeTarget } from '../../adapter.ts'
import { tableNameOf, tableText } from '../../table-name.ts'
import { describeTable, type UniqueKey, uniqueKeys } from '../describe.ts'
import { quote } from '../names.ts'
import type { MergeSession } from './session.ts'

interface Merged {
  readonly session: MergeSession
  readonly target: MergeTarget
  readonly live: LiveTable
}

export interface TargetTable extends LiveTable {
  readonly isView: boolean
  readonly hasTriggers: boolean
}

/** A foreign key that SQLite would judge at COMMIT, where it could not say which row is at fault. */
export interface DeferredKey {
  readonly table: string
  readonly columns: readonly string[]
  readonly parent: string
  readonly referred: readonly string[]
}

/**
 * The live table, and its unique key that rows are merged by; null where they are inserted and the columns do not cover
 * one. Throws `Terminal` where rows cannot be merged into it.
 */
export function readTargetTable(
  session: MergeSession,
  { table, columns, key, mode, texts = [] }: MergeTarget,
): { readonly live: TargetTable; readonly key: UniqueKey | null } {
  const where = `database ${session.place.name} (${session.place.path})`
  const rows = (sql: string, parameters: readonly string[]) => session.rows(sql, parameters)
  const live = describeTable(rows, table)
  if (live === null) {
    throw new TerminalError(
      `No table ${table} in ${where}, so nothing was written; create it or correct its name in the model`,
    )
  }
  const missing = columns.find((column) => !live.columns.some(({ name }) => name === column))
  if (missing !== undefined) {
    throw new TerminalError(
      `Table ${table} in ${where} has no column ${missing}, so nothing was written; add it or correct the model`,
    )
  }
  const wanted = JSON.stringify([...key].sort())
  const found = uniqueKeys(rows, table, live).find((unique) => JSON.stringify([...unique.columns].sort()) === wanted)
  const covered = key.length > 0 && key.every((column) => columns.includes(column))
  if (mode !== 'insert' && !covered) {
    throw new TerminalError(
      `A merge into ${table} needs its key (${key.join(', ')}) among the columns, so nothing was written`,
    )
  }
  if (mode !== 'insert' && found === undefined) {
    throw new TerminalError(
      `Table ${table} in ${where} has no unique key over (${key.join(', ')}), so rows cannot be merged by it; create a primary key or a unique index over exactly these columns`,
    )
  }
  const isView = session.rows(`SELECT 1 FROM ${schemaOf(table)} WHERE type = 'view' AND name = ? COLLATE NOCASE`, [
    nameOf(table),
  ])
  const triggers = session.rows(
    `SELECT 1 FROM ${schemaOf(table)} WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE`,
    [nameOf(table)],
  )
  const strict = session.rows(
    'SELECT 1 FROM pragma_table_list WHERE schema = ? COLLATE NOCASE AND name = ? COLLATE NOCASE AND strict',
    [tableNameOf(table).schema ?? 'main', nameOf(table)],
  )
  // A strict table keeps in ANY what it is given, as any other does in a column without a type.
  const isPlain = (name: string, type: string) =>
    strict.length > 0 && type.toUpperCase() === 'ANY' && texts.includes(name)
  const typed = live.columns.map((column) => (isPlain(column.name, column.type) ? { ...column, type: '' } : column))
  return {
    live: { ...live, isView: isView.length > 0, hasTriggers: triggers.length > 0, columns: typed },
    key: covered ? (found ?? null) : null,
  }
}

/** The unique keys other than the merge's. */
export function otherKeys({ session, target, live }: Merged): readonly UniqueKey[] {
  const wanted = JSON.stringify([...target.key].sort())
  const keys = uniqueKeys((sql, parameters) => session.rows(sql, parameters), target.table, live)
  return keys.filter(({ columns }) => JSON.stringify([...columns].sort()) !== wanted)
}

/** Whether there are unique keys over expressions, or of some rows alone. */
export function hasOddKeys({ session, target }: Merged): boolean {
  const { schema, name } = tableNameOf(target.table)
  const found = session.rows(
    `SELECT 1 FROM pragma_index_list(?1, ?2) il WHERE il."unique"
     AND (il.partial OR EXISTS (SELECT 1 FROM pragma_index_xinfo(il.name, ?2) ii WHERE ii.key AND ii.name IS NULL))`,
    [name, schema ?? 'main'],
  )
  return found.length > 0
}

/** Whether rows may be deleted and inserted again without anybody's notice. */
export function mayReinsert({ session, target, live }: Merged): boolean {
  if (!live.columns.every(({ name }) => target.columns.includes(name))) return false
  const { table } = target
  const schema = schemaOf(table)
  const watching = session.rows(
    `SELECT 1 FROM ${schema} WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE
     UNION ALL SELECT 1 FROM temp.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE
     UNION ALL SELECT 1 FROM ${schema} m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f."table" = ?1 COLLATE NOCASE`,
    [nameOf(table)],
  )
  return watching.length === 0
}

/** The columns that foreign keys refer to, and would take along. */
export function referredColumns({ session, target }: Merged): ReadonlySet<string> {
  const rows = session.rows(
    `SELECT coalesce(f."to", (SELECT name FROM pragma_table_info(f."table") WHERE pk = f.seq + 1)) FROM ${schemaOf(target.table)} m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f."table" = ? COLLATE NOCASE`,
    [nameOf(target.table)],
  )
  return new Set(rows.map(([column]) => column as string))
}

/** A foreign key of a table to itself. */
export interface SelfReference {
  readonly columns: readonly string[]
  readonly referred: readonly string[]
}

/** The first key of the table to itself whose columns are all written; null where there is none. */
export function selfReference({ session, target }: Merged): SelfReference | null {
  const rows = session.rows(
    `SELECT f.id, f."from", coalesce(f."to", (SELECT name FROM pragma_table_info(f."table") WHERE pk = f.seq + 1))
     FROM pragma_foreign_key_list(?1) f WHERE f."table" = ?1 COLLATE NOCASE ORDER BY f.id, f.seq`,
    [nameOf(target.table)],
  ) as readonly (readonly string[])[]
  for (const parts of Map.groupBy(rows, ([id]) => id).values()) {
    const [columns, referred] = [1, 2].map((at) => parts.map((part) => part[at] ?? '')) as [string[], string[]]
    if ([...columns, ...referred].every((name) => target.columns.includes(name))) return { columns, referred }
  }
  return null
}

export function schemaOf(table: string): string {
  return `${quote(tableNameOf(table).schema ?? 'main')}.sqlite_schema`
}

/** The name of another table of the same schema. */
export function inSchemaOf(table: string, other: string): string {
  return tableText({ ...tableNameOf(table), name: other })
}

export function nameOf(table: string): string {
  return tableNameOf(table).name
}
