import type { Adapter, LiveColumn } from 'dray/internal/database/adapter.ts'
import type { TableDetails } from 'dray/internal/database/catalogue.ts'
import type { AddedField, Reading } from './added-table.ts'

/** Names of columns that a change of a row moves on; `created_at` does not. */
const MOVES = /updat|modif|chang|touch|mtime|revised|last_?(?:edit|writ|sav)/i
const XID = /^xid8$/i

/** Whether a column's name, or the database itself, says that a change of a row moves it on, and it is indexed. */
export function isLikelyCursor({ name, type, nullable }: LiveColumn, { columns, indexed }: TableDetails): boolean {
  const moves = columns.get(name)?.movesOn === true || MOVES.test(name) || XID.test(type)
  return moves && !nullable && indexed.has(name)
}

interface Told {
  readonly adapter: Adapter
  readonly columns: readonly LiveColumn[]
  readonly details: TableDetails
  /** The zone of the server's clock; null where it is in UTC. */
  readonly serverZone: string | null
  /** Columns whose values cannot all be put in order. */
  readonly disordered: ReadonlySet<string>
  /** The column that the user names. */
  readonly cursor: string | null
}

/** How a run is to read the table: by a cursor only where no changed row could be missed. */
export function readingOf(fields: readonly AddedField[], told: Told): Reading {
  const stamps = fields.filter((field) => mayMove(field, told))
  const faults = stamps.map((field) => [field, faultOf(field, told)] as const)
  const [sound] = faults.find(([, fault]) => fault === null) ?? []
  if (sound !== undefined) return { kind: 'changedSince', cursor: sound.property, isXid: isXid(sound, told) }
  const [, reason] = faults[0] ?? []
  if (reason !== undefined && reason !== null) return { kind: 'fullLoad', reason }
  const what = told.cursor === null ? 'no column says when a row was changed' : `${told.cursor} is no time stamp`
  return { kind: 'fullLoad', reason: what }
}

function typeIn({ column }: AddedField, { columns }: Told): string {
  return columns.find(({ name }) => name === column)?.type ?? ''
}

/** A number of a transaction that a writer stamps a row with, on PostgreSQL. */
function isXid(field: AddedField, told: Told): boolean {
  return XID.test(typeIn(field, told))
}

function mayMove(field: AddedField, told: Told): boolean {
  const isStamp = field.source.kind === 'timestamp' || isXid(field, told)
  if (told.cursor !== null) return isStamp && field.column === told.cursor
  const movesOn = told.details.columns.get(field.column)?.movesOn === true
  return isStamp && (movesOn || MOVES.test(field.column) || isXid(field, told))
}

/** Why rows could be missed, or a run be slow; null for a sound cursor. */
function faultOf(field: AddedField, told: Told): string | null {
  const { adapter, details, serverZone, disordered } = told
  const { column } = field
  if (field.isNullable) return `${column} may be NULL, and such rows are in no window`
  if (details.isView) return `whether ${column} has an index is not known of a view`
  if (!details.indexed.has(column))
    return `no index begins with ${column}, so each run would read the whole table for it`
  if (disordered.has(column))
    return `${column} has values that are no time stamps in UTC, and rows could fall between two windows`
  const isMoment = isXid(field, told) || adapter.stampForm(typeIn(field, told)) === 'moment'
  if (isMoment || serverZone === null) return null
  return `${column} is of a type without a zone, and the server is in ${serverZone}; say what it holds by changedSince(…, { zone })`
}
