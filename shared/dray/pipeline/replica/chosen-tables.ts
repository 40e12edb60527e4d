import type { ListedTable } from '#dray/database/catalogue.ts'
import { areOneDatabase } from '#dray/database/one-database.ts'
import { asking } from '#dray/database/reading.ts'
import { type TableName, tableNameOf, tableParts } from '#dray/database/table-name.ts'
import { wholeName } from '#dray/database/whole-name.ts'
import { tableStep } from '#dray/messages/step-name.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import { ledgerOf } from '#dray/pipeline/landing/ledger.ts'
import { targetOf } from './target-table.ts'

/** A table that a replica takes over. */
export interface ChosenTable extends ListedTable {
  /** `sales-raw/orders` */
  readonly step: string
}

export interface ChosenTables {
  /** The largest first. */
  readonly tables: readonly ChosenTable[]
  /** The others that the source has. */
  readonly left: readonly ChosenTable[]
  /** Sentences on what the declaration names and the source has not. */
  readonly notes: readonly string[]
}

/** The tables of now that the patterns of a replica choose. */
export async function chosenTables(replica: Replica): Promise<ChosenTables> {
  const { found, refused } = await replica.from.withConnection(async (connection, { catalogue }) => ({
    found: await catalogue.list(asking(connection)),
    refused: (await catalogue.refused?.(asking(connection))) ?? [],
  }))
  const own = found.filter(({ table }) => !isOfDray(tableNameOf(table)))
  const wanted = replica.tables.filter((pattern) => !pattern.startsWith('!'))
  const unwanted = replica.tables.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1))
  const isMeant = (one: ListedTable, pattern: string) =>
    (!one.isView || !isOpen(pattern)) && matches(pattern, one.table)
  const meant = own
    .filter((one) => wanted.some((pattern) => isMeant(one, pattern)))
    .filter((one) => !unwanted.some((pattern) => matches(pattern, one.table)))
  const copies = await copiesAmong(replica, meant)
  const tables = meant.filter(({ table }) => !copies.has(table))
  const withStep = (one: ListedTable) => ({ ...one, step: tableStep(replica.name, one.table) })
  const barred = refused
    .filter((table) => !isOfDray(tableNameOf(table)) && wanted.some((pattern) => matches(pattern, table)))
    .filter((table) => !unwanted.some((pattern) => matches(pattern, table)))
  return {
    tables: tables.map(withStep).sort(largestFirst),
    left: own.filter((one) => !tables.includes(one)).map(withStep),
    notes: [
      ...barredNote(replica, barred),
      ...notesOn(replica, wanted, [...own.map(({ table }) => table), ...barred], tables),
    ],
  }
}

/** Tables that hold what others are copied into, or were before: each run would make a copy of the copy. */
async function copiesAmong(replica: Replica, tables: readonly ListedTable[]): Promise<ReadonlySet<string>> {
  if (!(await areOneDatabase(replica.from, replica.into))) return new Set()
  const copies = new Set(tables.flatMap(({ table }) => targetWithin(replica, table)))
  const written = await writtenBy(replica)
  const among = tables.map(async ({ table }) => {
    if (copies.has(table)) return [table]
    const { name } = tableNameOf(table)
    // Only those that may be one are asked for.
    if (![...written].some((one) => one.endsWith(name))) return []
    return written.has(await wholeName(replica.from, table)) ? [table] : []
  })
  return new Set((await Promise.all(among)).flat())
}

/** The tables that its runs have written, but for those that were copied onto themselves. */
async function writtenBy({ into, name }: Replica): Promise<ReadonlySet<string>> {
  const { Fence } = ledgerOf(into)
  const live = await into.withConnection((connection) => connection.describe(Fence.definition.table))
  const isKnown = Fence.definition.columnNames.every((column) => live?.columns.some((one) => one.name === column))
  if (!isKnown) return new Set()
  const fences = await Fence.where(['pipeline like ?', `${name}/%`]).toArray()
  return new Set(fences.flatMap(({ writtenTable }) => writtenTable ?? []))
}

/** None where `name` gives no name, or the table's own. */
function targetWithin(replica: Replica, table: string): string[] {
  try {
    const target = targetOf(replica, table)
    return target === table ? [] : [target]
  } catch {
    return []
  }
}

function largestFirst(one: ChosenTable, other: ChosenTable): number {
  const [left, right] = [one, other].map(({ bytes, rows }) => bytes ?? (rows ?? 0) * 100) as [number, number]
  return right - left || (one.table < other.table ? -1 : 1)
}

function isOfDray({ name }: TableName): boolean {
  return /^dray_|__dray_next$/i.test(name)
}

const isOpen = (pattern: string) => pattern.includes('*')

/** `*` stands for any part of a name; a pattern without a schema means the tables that the connection finds without. */
export function matches(pattern: string, table: string): boolean {
  const [parts, names] = [tableParts(pattern), tableParts(table)]
  return parts.length === names.length && parts.every((part, place) => expression(part).test(names[place] as string))
}

function expression(part: string): RegExp {
  const literals = part.split('*').map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${literals.join('.*')}$`, 's')
}

function barredNote({ from }: Replica, tables: readonly string[]): string[] {
  if (tables.length === 0) return []
  const [first] = tables
  return [
    `${from.name} has ${tables.length === 1 ? 'a table' : 'tables'} that its user may not read as a whole, so nothing is taken of ${listed(tables)}: grant SELECT to the user, or leave out what is not meant (tables: '!${first}')`,
  ]
}

const MOST_NAMED = 20

export function listed(names: readonly string[]): string {
  const rest = names.length - MOST_NAMED
  return rest <= 0 ? names.join(', ') : `${names.slice(0, MOST_NAMED).join(', ')} and ${rest} more`
}

function notesOn(
  { from, overrides }: Replica,
  wanted: readonly string[],
  names: readonly string[],
  chosen: readonly ListedTable[],
): string[] {
  const missing = wanted.filter((pattern) => !names.some((table) => matches(pattern, table)))
  const idle = [...overrides.keys()].filter((table) => !chosen.some((one) => one.table === table))
  return [
    ...missing.map(
      (pattern) =>
        `tables names ${pattern}, and ${from.name} has no such table, or its user may not see it: nothing is taken by that name; look at its spelling`,
    ),
    ...idle.map(
      (table) =>
        `overrides names ${table}, which is no table that is taken over, so it says nothing: look at its spelling (a table of another schema is written schema.table)`,
    ),
  ]
}
