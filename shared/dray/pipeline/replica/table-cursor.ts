import { Database } from '#dray/active-record/database.ts'
import { timestamp } from '#dray/active-record/field-kinds.ts'
import { columnName } from '#dray/active-record/sql.ts'
import type { Adapter, Connection, LiveColumn } from '#dray/database/adapter.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Replica, TableOverride } from '#dray/pipeline/declare/replica.ts'
import { stampTexts } from '#dray/pipeline/plan/cursor-text.ts'
import type { ReplicatedColumn } from '#dray/pipeline/rows/replicated-table.ts'
import { isAlike } from './column-names.ts'
import type { ReadTable } from './read-table.ts'

/** By what the changed rows of a table are known. */
export interface TableCursor {
  /** The property of its column; null where all rows are read. */
  readonly name: string | null
  readonly isXid: boolean
  /** For a person. */
  readonly why: string
}

interface Subject {
  readonly step: string
  readonly source: string
  readonly override: TableOverride
  readonly read: ReadTable
}

const IGNORING = { alter: { ignoresCase: true } }

/**
 * The first column that the declaration names and the table has, if no changed row could be missed by it. Throws
 * `Terminal` for one that the table's own override names and that is no sound cursor.
 */
export async function tableCursor(
  replica: Replica,
  subject: Subject,
  columns: readonly ReplicatedColumn[],
): Promise<TableCursor> {
  const { step, source, override, read } = subject
  const whole = (why: string): TableCursor => ({ name: null, isXid: false, why })
  const refuse = (what: string) => new TerminalError(`${step}: overrides: { cursor } names ${what}`)
  if (override.cursor === false) return whole('the declaration says so')
  const isAsked = override.cursor !== undefined
  const names = [override.cursor ?? replica.cursor].flat()
  if (names.length === 0) return whole('the declaration names no cursor')
  const column = names
    .map((name) => columns.find((one) => isAlike(one.source.column, name, IGNORING)))
    .find((one) => one !== undefined)
  if (column === undefined && isAsked) {
    throw refuse(
      `${names.join(', ')}, and ${replica.from.name}.${source} has no such column that is read, so nothing was read; it has ${columns.map((one) => one.source.column).join(', ')}`,
    )
  }
  if (column === undefined) return whole(`it has no column ${names.join(' or ')}`)
  const live = read.live.columns.find(({ name }) => name === column.source.column) as LiveColumn
  const isXid = /^xid8$/i.test(live.type)
  const fault = await faultOf(replica, subject, { live, column, isXid, isAsked })
  if (fault === null) return { name: column.name, isXid, why: `what has changed by ${live.name}` }
  if (isAsked) throw refuse(`${live.name}, but ${fault}; nothing was read`)
  return whole(fault)
}

interface Candidate {
  readonly live: LiveColumn
  readonly column: ReplicatedColumn
  readonly isXid: boolean
  /** The table's own override names it: then it may be slow. */
  readonly isAsked: boolean
}

/** Why rows could be missed, or each run be slow; null for a sound cursor. */
async function faultOf(
  { from }: Replica,
  { source, override, read }: Subject,
  { live, column, isXid, isAsked }: Candidate,
): Promise<string | null> {
  const { name, type } = live
  if (column.mask !== null) return `${name} is masked`
  if (!isXid && column.source.kind !== 'timestamp') return `${name} is ${type}, which is no moment`
  if (live.nullable && override.nulls === undefined) return `${name} may be NULL, and such rows are in no window`
  if (!isAsked && read.details.isView) return `whether ${name} has an index is not known of a view`
  if (!isAsked && !read.details.indexed.has(name)) return `no index begins with ${name}`
  if (isXid) return null
  const form = read.adapter.stampForm(type)
  const isDisordered =
    form === 'text' && (await from.withConnection((...by) => isDisorderedColumn(source, name, ...by)))
  if (isDisordered) return `${name} has values that are no time stamps in UTC`
  if (form === 'moment' || override.zone !== undefined) return null
  const serverZone = await read.serverZone()
  if (serverZone === null) return null
  return `${name} is of a type without a zone, and the server is in ${serverZone}: overrides: { zone } says what it holds`
}

/** Whether some texts of a column cannot be put in order with the others, as a run would find. */
export async function isDisorderedColumn(
  table: string,
  column: string,
  connection: Connection,
  adapter: Adapter,
): Promise<boolean> {
  const { definition } = new Database('stamps').source(table, { stamp: timestamp().primaryKey().column(column) })
  const stamps = { name: column, value: columnName({ column }) }
  try {
    await stampTexts(definition, stamps, connection, { adapter })
    return false
  } catch (error) {
    if (error instanceof TerminalError) return true
    throw error
  }
}
