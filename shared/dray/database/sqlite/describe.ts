import type { DatabaseSync } from 'node:sqlite'
import type { Text } from '#dray/block/block.ts'
import type { LiveColumn, LiveTable } from '../adapter.ts'
import { queryColumn } from '../query-columns.ts'
import { tableNameOf } from '../table-name.ts'

type Rows = (sql: string, parameters: readonly string[]) => readonly (readonly Text[])[]

/** A unique index, or the primary key, with the collation of each column. */
export interface UniqueKey {
  readonly columns: readonly string[]
  readonly collations: readonly string[]
}

/** The live table, or null. */
export function describeTable(rows: Rows, table: string): LiveTable | null {
  const [name, schema] = parts(table)
  const columns = rows(
    `SELECT name, type, "notnull", dflt_value IS NOT NULL OR hidden IN (2, 3), pk, hidden IN (2, 3) FROM pragma_table_xinfo(${schema}) WHERE hidden <> 1 ORDER BY cid`,
    name,
  )
  if (columns.length === 0) return null
  const key = columns.filter(([, , , , pk]) => pk !== '0').sort((one, other) => Number(one[4]) - Number(other[4]))
  const rowid = key.length === 1 && (key[0]?.[1] ?? '').toUpperCase() === 'INTEGER'
  return {
    columns: columns.map(([column, type, notNull, hasDefault, pk, isComputed]) => ({
      name: column as string,
      type: type as string,
      nullable: notNull === '0' && pk === '0',
      hasDefault: hasDefault === '1' || (rowid && pk !== '0'),
      isComputed: isComputed === '1',
    })),
    primaryKey: key.map(([column]) => column as string),
    uniqueKeys: indexesOf(rows, table, "il.origin <> 'pk'").map(({ columns: unique }) => unique),
  }
}

/** The columns of a query, which is prepared and not run; one that is an expression has no type. */
export function describeQuery(database: DatabaseSync, sql: string): readonly LiveColumn[] {
  return database
    .prepare(sql)
    .columns()
    .map(({ name, type }) => queryColumn(name, type ?? ''))
}

/** Every unique key over whole columns of every row; a rowid's own key has no index and no collation. */
export function uniqueKeys(rows: Rows, table: string, live: LiveTable): readonly UniqueKey[] {
  const indexes = indexesOf(rows, table, 'true')
  const own = { columns: live.primaryKey, collations: live.primaryKey.map(() => 'BINARY') }
  return live.primaryKey.length === 1 ? [...indexes, own] : indexes
}

function indexesOf(rows: Rows, table: string, condition: string): UniqueKey[] {
  const [name, schema] = parts(table)
  const found = rows(
    `SELECT il.name, ii.name, ii.coll FROM pragma_index_list(${schema}) il, pragma_index_xinfo(il.name${schema.slice(2)}) ii
     WHERE il."unique" AND NOT il.partial AND ii.key AND ${condition} ORDER BY il.seq, ii.seqno`,
    name,
  )
  const keys = new Map<string, { columns: (string | null)[]; collations: string[] }>()
  for (const [index, column, collation] of found) {
    const key = keys.get(index as string) ?? { columns: [], collations: [] }
    key.columns.push(column as string | null)
    key.collations.push(collation as string)
    keys.set(index as string, key)
  }
  // An expression in an index has no name.
  return [...keys.values()].filter(
    (key): key is { columns: string[]; collations: string[] } => !key.columns.includes(null),
  )
}

/** `schema.table` as the arguments of a pragma function. */
function parts(table: string): [string[], string] {
  const { schema, name } = tableNameOf(table)
  return schema === null ? [[name], '?1'] : [[name, schema], '?1, ?2']
}
