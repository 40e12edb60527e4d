import { candidatesOf } from 'dray/internal/active-record/candidates.ts'
import type { Database } from 'dray/internal/active-record/database.ts'
import type { FieldType } from 'dray/internal/active-record/field-type.ts'
import { fittingTypes } from 'dray/internal/active-record/fitting-types.ts'
import type { Text } from 'dray/internal/block/block.ts'
import type { Adapter, Connection, LiveColumn, LiveTable } from 'dray/internal/database/adapter.ts'
import type { ListedTable, TableDetails } from 'dray/internal/database/catalogue.ts'
import { asking } from 'dray/internal/database/reading.ts'
import { quotedTable } from 'dray/internal/database/table-name.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { keyOf } from 'dray/internal/pipeline/replica/read-table.ts'
import { isDisorderedColumn } from 'dray/internal/pipeline/replica/table-cursor.ts'
import { isLikelyCursor } from './reading.ts'

/** Rows that are shown, and of which the test keeps some. */
const SHOWN_ROWS = 5

/** A table as it lives, with a type for each column and its first rows. */
export interface ReadTable {
  readonly adapter: Adapter
  readonly live: LiveTable
  readonly details: TableDetails
  readonly types: readonly FieldType[]
  /** The primary key, or a unique key that has no NULL; empty where there is none. */
  readonly key: readonly string[]
  readonly serverZone: string | null
  /** Columns of time stamps that are kept as texts, of which some cannot be put in order with the others. */
  readonly disordered: ReadonlySet<string>
  /** In the order of the columns. */
  readonly rows: readonly (readonly Text[])[]
}

/** `asked` is the key that a person names. Throws `Configuration` where rows share it. */
export async function readTable(
  database: Database,
  table: string,
  asked: readonly string[] | null = null,
): Promise<ReadTable> {
  return database.withConnection(async (connection, adapter) => {
    const live = await connection.describe(table)
    if (live === null || live.columns.length === 0) {
      throw new ConfigurationError(
        `${database.name} has no table ${table}, or its user may not see it, so nothing was written; \`npx dray add\` lists those that it has.`,
      )
    }
    const details = await adapter.catalogue.details(asking(connection), table)
    const candidates = live.columns.map((column) =>
      candidatesOf(column, details.columns.get(column.name), adapter.schema.liveTypes),
    )
    const key = asked ?? keyOf(live, details)
    if (asked !== null) await checkKey(database, table, asked, live, connection, adapter)
    const types = await fittingTypes(connection, adapter, table, live.columns, candidates)
    const stamps = live.columns.filter(
      ({ name, type }, place) =>
        types[place]?.kind === 'timestamp' && details.indexed.has(name) && adapter.stampForm(type) === 'text',
    )
    return {
      adapter,
      live,
      details,
      types,
      key,
      serverZone: await connection.serverZone(),
      disordered: await disorderedColumns(connection, adapter, table, stamps),
      rows: await firstRows(connection, adapter, table, live, key),
    }
  })
}

/** The key of a table, and the columns that a change may move on. */
export async function describeTable(
  database: Database,
  table: string,
): Promise<{ readonly key: readonly string[]; readonly cursors: readonly string[] }> {
  return database.withConnection(async (connection, adapter) => {
    const live = await connection.describe(table)
    if (live === null) return { key: [], cursors: [] }
    const details = await adapter.catalogue.details(asking(connection), table)
    const cursors = live.columns.filter((column) => isLikelyCursor(column, details))
    return { key: keyOf(live, details), cursors: cursors.map(({ name }) => name) }
  })
}

async function checkKey(
  { name }: Database,
  table: string,
  key: readonly string[],
  { columns }: LiveTable,
  connection: Connection,
  { quote }: Adapter,
): Promise<void> {
  const refuse = (what: string) => new ConfigurationError(`${name}.${table} ${what}, so nothing was written.`)
  const unknown = key.find((column) => !columns.some((one) => one.name === column))
  if (unknown !== undefined) {
    const names = columns.map((column) => column.name).join(', ')
    throw refuse(`has no column ${unknown}, which --key names (it has ${names})`)
  }
  const [list, from] = [key.map(quote), quotedTable(table, quote)]
  const isMissing = list.map((column) => `${column} is null`).join(' or ')
  const some = async (sql: string) => (await connection.query(`${sql} limit 1`)).rows.length > 0
  if (await some(`select 1 from ${from} where ${isMissing}`)) {
    throw refuse(`has rows with NULL in ${key.join(', ')}, which --key names; name columns that are always filled`)
  }
  if (await some(`select 1 from ${from} group by ${list.join(', ')} having count(*) > 1`)) {
    throw refuse(`has several rows of one ${key.join(', ')}, which --key names; name what tells them apart`)
  }
}

/** By what a run would refuse. */
async function disorderedColumns(
  connection: Connection,
  adapter: Adapter,
  table: string,
  columns: readonly LiveColumn[],
): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const { name } of columns) {
    if (await isDisorderedColumn(table, name, connection, adapter)) found.add(name)
  }
  return found
}

async function firstRows(
  connection: Connection,
  adapter: Adapter,
  table: string,
  { columns }: LiveTable,
  key: readonly string[],
): Promise<readonly (readonly Text[])[]> {
  const list = (names: readonly string[]) => names.map((name) => adapter.quote(name)).join(', ')
  const order = key.length === 0 ? '' : ` order by ${list(key)}`
  const from = `${list(columns.map(({ name }) => name))} from ${quotedTable(table, adapter.quote)}`
  return (await connection.query(`select ${from}${order} limit ${SHOWN_ROWS}`)).rows
}

/** A list of what a database has, without the tables of Dray. */
export async function listTables(database: Database): Promise<readonly ListedTable[]> {
  return database.withConnection(async (connection, adapter) => {
    const tables = await adapter.catalogue.list(asking(connection))
    return tables.filter(({ table }) => !/(?:^|\.)dray_|__dray_next$/i.test(table))
  })
}
