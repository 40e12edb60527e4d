import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { querySql } from '#dray/active-record/sql.ts'
import type { Query } from '#dray/active-record/table-definition.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import type { TableIdentity } from '#dray/database/capabilities.ts'
import { compile } from '#dray/database/statement.ts'
import { tableParts } from '#dray/database/table-name.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import type { KnownTable } from '#dray/state/state-store.ts'
import { cursorForm } from './cursor-form.ts'
import { cursorColumns, cursorName, cursorOf } from './cursor-value.ts'
import { sourceTable } from './source-table.ts'

const HASH_DIGITS = 16

/** What tells the table of a source, and its cursor, from others of their names. */
export async function tableOf(extract: Extraction, connection: Connection, adapter: Adapter): Promise<KnownTable> {
  const { kind, zone, expression } = cursorOf(extract)
  const columns = cursorColumns(extract).map(({ column }) => column)
  const rows = async (text: string, parameters: readonly string[]) => (await connection.query(text, parameters)).rows
  const { definition } = extract.source
  const ofTable = (table: string, names: readonly string[]) => adapter.identity.ofTable(rows, table, names)
  const found =
    definition.query === undefined
      ? await ofTable(definition.table, columns)
      : await identityOfQuery(adapter, definition.query, ofTable)
  const parts = expression?.map((part) =>
    part.kind === 'column' ? part.column.column : part.kind === 'sql' ? part.text : 'value' in part ? part.value : '',
  )
  const said = [parts?.join('') ?? cursorName(extract), kind, ...(zone === null ? [] : [zone])]
  return { ...found, cursor: said.join(', ') }
}

/** A query is what it says, with its values, and the tables that it names. */
async function identityOfQuery(
  adapter: Adapter,
  query: Query,
  ofTable: (table: string, names: readonly string[]) => Promise<TableIdentity>,
): Promise<TableIdentity> {
  const { sql: text, parameters } = compile(adapter, querySql(query))
  const tables: QueriedTable[] = []
  for (const { table } of query.tables) {
    const { ids, definition } = await ofTable(table, [])
    tables.push([ids, definition])
  }
  const said = JSON.stringify([text.replace(/\s+/g, ' ').trim(), parameters.map(String)])
  const hash = createHash('sha256').update(said).digest('hex').slice(0, HASH_DIGITS)
  return { ids: [], definition: JSON.stringify([hash, tables]), partsFrom: null }
}

/** The ids and the definition of a table that a query names. */
type QueriedTable = readonly [ids: readonly string[], definition: string | null]

function isSameQuery(adapter: Adapter, known: string | null, now: string | null): boolean {
  // That of a table is no list: a model may have become a query.
  if (!known?.startsWith('[') || now === null) return false
  const [[knownText, knownTables], [text, tables]] = [known, now].map(
    (definition) => JSON.parse(definition) as [string, QueriedTable[]],
  ) as [[string, QueriedTable[]], [string, QueriedTable[]]]
  if (knownText !== text || knownTables.length !== tables.length) return false
  return tables.every(([ids, definition], index) => {
    const [knownIds, knownDefinition] = knownTables[index] as QueriedTable
    if (ids.length > 0 && knownIds.length > 0) return ids.some((id) => knownIds.includes(id))
    return isSameDefinition(adapter, knownDefinition, definition)
  })
}

/** `last_run` says nothing of the rows of now. */
export interface OtherTable {
  /** A clause. */
  readonly why: string
  /** `last_run` is of another cursor. */
  readonly isOtherCursor: boolean
}

/** How the table of now is not the one that `last_run` is of; null where it is. */
export async function otherTable(
  extract: Extraction,
  lastRun: string,
  { known, now }: { readonly known: KnownTable; readonly now: KnownTable },
  connection: Connection,
  adapter: Adapter,
): Promise<OtherTable | null> {
  const { database, table } = extract.source.definition
  const where = `${database}.${table}`
  const other = (why: string) => ({ why, isOtherCursor: known.cursor !== now.cursor })
  if (known.cursor !== now.cursor)
    return other(`the cursor of ${where} was ${known.cursor} at last_run and is ${now.cursor} now`)
  if (known.ids.length > 0 && now.ids.length > 0) {
    if (!now.ids.some((id) => known.ids.includes(id))) {
      return other(
        `${where} is not the table that it was at last_run: it, or the column of its cursor, was made anew or has another type, or another table was renamed into its place`,
      )
    }
  } else if (extract.source.definition.query !== undefined) {
    if (!isSameQuery(adapter, known.definition, now.definition))
      return other(
        `the query ${where}, or a table that it reads, is not what it was at last_run, so rows may belong to it that were stamped before`,
      )
  } else if (!isSameDefinition(adapter, known.definition, now.definition)) {
    const grant = adapter.identity.tablesKnownBy
    const remedy = grant === null ? '' : ` (to have that known: ${grant})`
    return other(`the definition of ${where} has changed since last_run, and it may have been made anew${remedy}`)
  }
  if (known.partsFrom === null) return null
  const part = await olderPart(extract, { lastRun, from: known.partsFrom }, connection, adapter)
  return part === null
    ? null
    : other(`${part} has become a part of ${where} since last_run, with rows that are stamped before it`)
}

function isSameDefinition({ identity }: Adapter, known: string | null, now: string | null): boolean {
  return known === null || now === null ? known === now : identity.sameDefinition(known, now)
}

/** A partition may have been filled long before it was attached. */
async function olderPart(
  extract: Extraction,
  { lastRun, from }: { readonly lastRun: string; readonly from: string },
  connection: Connection,
  adapter: Adapter,
): Promise<string | null> {
  const { table } = extract.source.definition
  const rows = async (text: string, parameters: readonly string[]) => (await connection.query(text, parameters)).rows
  const parts = (await adapter.identity.newParts?.(rows, table, from)) ?? []
  if (parts.length === 0) return null
  const { before } = cursorForm(extract, await sourceTable(extract, connection, adapter))
  // An expression may name its columns by the whole table.
  const older = cursorOf(extract).expression === null ? before(lastRun) : sql`true`
  for (const part of parts) {
    const name = sql.id(...tableParts(part))
    const { sql: text, parameters } = compile(adapter, sql`select 1 from ${name} where ${older} limit 1`)
    if ((await connection.query(text, parameters)).rows.length > 0) return part
  }
  return null
}
