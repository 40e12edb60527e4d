import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { columnName, tableName } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Connection, Settled } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { compareInstants } from '#dray/pipeline/texts/instant.ts'
import type { GreatestNumber } from '#dray/state/state-store.ts'
import type { SourceTable } from './source-table.ts'

const LOOK_AGAIN_MS = 200

/** Up to where all numbers have been committed or never will be. */
export interface SettledNumber {
  /** The greatest number of the table; null where it is empty. */
  readonly greatest: bigint | null
  /** The first number that is not settled; null where that is not known. */
  readonly until: bigint | null
  /** What the next run may find settled. */
  readonly unsettled: GreatestNumber | null
  readonly settled: Settled
}

interface Looked {
  /** What is settled already; null for nothing. */
  readonly from: bigint | null
  readonly unsettled: GreatestNumber | null
  readonly unseenLagSeconds: number
  /** How long it is waited until what is open has ended. */
  readonly waitMs: number
  readonly signal: AbortSignal
}

/**
 * A number is drawn before its row is committed, so the greatest one that is there is settled once everything has ended
 * that was open when it was seen:
 *
 *     greatest is 100 ─┐        ┌─ nothing is open that began before 100 was seen: 101 is the end
 *     99 is drawn ─────┼── commit
 *
 * Where that takes longer than it is waited for, the number is kept, and a later run finds it settled.
 */
export async function settledNumber(
  { source }: Extraction,
  column: ColumnDefinition,
  { from, unsettled, unseenLagSeconds, waitMs, signal }: Looked,
  connection: Connection,
  { adapter }: SourceTable,
): Promise<SettledNumber> {
  const { definition } = source
  const statement = compile(adapter, sql`select max(${columnName(column)}) from ${tableName(definition)}`)
  const text = (await connection.query(statement.sql, statement.parameters)).rows[0]?.[0] ?? null
  if (text !== null && !/^-?\d+$/.test(text)) {
    throw new TerminalError(
      `${definition.database}.${definition.table}: ${column.column} holds ${JSON.stringify(text)}, which is no whole number, so nothing was read; correct the row, or name another cursor`,
    )
  }
  const greatest = text === null ? null : BigInt(text)
  const look = () => connection.settledUntil(0, { unseenLagSeconds, table: definition.table })
  let settled = await look()
  if (greatest === null || adapter.numbersCommitInOrder)
    return { greatest, until: greatest === null ? null : greatest + 1n, unsettled: null, settled }
  const now: GreatestNumber = { at: settled.now, greatest: String(greatest) }
  const isSettled = ({ at }: GreatestNumber) => compareInstants(at, settled.until) <= 0
  if (from !== null && greatest < from) return { greatest, until: from, unsettled: null, settled }
  const isNothingNew = unsettled?.greatest === now.greatest && isSettled(unsettled)
  for (let waited = 0; !isSettled(now) && !isNothingNew && waited < waitMs; waited += LOOK_AGAIN_MS) {
    await delay(LOOK_AGAIN_MS, undefined, { signal })
    settled = await look()
  }
  if (isSettled(now)) return { greatest, until: greatest + 1n, unsettled: null, settled }
  if (unsettled === null || !isSettled(unsettled))
    return { greatest, until: null, unsettled: unsettled ?? now, settled }
  return { greatest, until: BigInt(unsettled.greatest) + 1n, unsettled: now, settled }
}
