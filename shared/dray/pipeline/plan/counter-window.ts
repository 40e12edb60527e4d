import type { Connection } from '#dray/database/adapter.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import type { SeenNumbers } from '#dray/state/state-store.ts'
import { cursorColumns, cursorOf } from './cursor-value.ts'
import { settledNumber } from './settled-number.ts'
import type { SourceTable } from './source-table.ts'

/** A row that waits for a transaction of seconds is read in this run, one that waits for longer in a later one. */
const WAIT_MS = 10_000
const LOWEST = '-9223372036854775808'
const NUMBER = /^-?\d+$/

interface CounterWindow extends SeenNumbers {
  readonly lo: string | null
  readonly hi: string
  readonly exact: boolean
  readonly note: string | null
  readonly settled: null
  readonly unit: bigint
}

/** `[last_run, hi)` of the numbers. Throws `Terminal` where numbers may be committed late, and where they went back. */
export async function counterWindow(
  extraction: Extraction,
  {
    lastRun,
    seen,
    signal,
  }: { readonly lastRun: string | null; readonly seen: SeenNumbers; readonly signal: AbortSignal },
  connection: Connection,
  table: SourceTable,
): Promise<CounterWindow> {
  const { definition } = extraction.source
  const where = `${definition.database}.${definition.table}`
  const cursor = cursorOf(extraction)
  const [column] = cursorColumns(extraction)
  if (column === undefined)
    throw new TerminalError(`${where} has no counter, so nothing was read; name one as its cursor`)
  if (lastRun !== null && !NUMBER.test(lastRun)) {
    throw new TerminalError(
      `last_run is ${lastRun}, which is no number, so nothing was read of ${where}; was its cursor a timestamp before? forget it with \`dray state reset\`, and all rows are read once`,
    )
  }
  const drawn = await drawnNumbers(extraction, column.column, connection, table)
  const unsettled = seen.unsettled ?? null
  const from = lastRun === null ? null : BigInt(lastRun)
  const look = { from, unsettled, unseenLagSeconds: 0, waitMs: WAIT_MS, signal }
  const found = await settledNumber(extraction, column, look, connection, table)
  const { greatest, settled } = found
  const isExact = table.adapter.numbersCommitInOrder || settled.exact
  if (cursor.overlapNumbers === 0 && (!isExact || drawn.areKept)) {
    const why = drawn.areKept
      ? `sessions keep numbers of its sequence and use them later; \`alter sequence … cache 1\``
      : `${settled.reason ?? 'open transactions cannot be seen'}; grant that`
    throw new TerminalError(
      `${where}: the cursor ${column.column} is a counter, whose numbers are drawn before their rows are committed, and a smaller one may come later: ${why}, or say how many numbers are read again, overlap: 1000. Nothing was read`,
    )
  }
  const last = greatest === null ? drawn.last : maximum(greatest, drawn.last)
  if (lastRun !== null && last !== null && last + 1n < BigInt(lastRun)) {
    throw new TerminalError(
      `${where}: the counter ${column.column} has come to ${last}, and last_run is ${lastRun}: the table was restored, its counter was set back, or its newest rows are gone, and rows that come now would have numbers that count as read, so nothing was read. Where the rows are others than before: \`npx dray state reset <pipeline> --yes\` has all of them read once; where they are the same: \`npx dray state set <pipeline> ${last + 1n} --yes\``,
    )
  }
  const until = isExact ? found.until : greatest === null ? null : greatest + 1n
  const hi = until === null || (from !== null && until < from) ? (lastRun ?? LOWEST) : String(until)
  const lo = from === null || cursor.overlapNumbers === 0 ? lastRun : String(from - BigInt(cursor.overlapNumbers))
  const isHeld = isExact && greatest !== null && BigInt(hi) <= greatest
  const note = isHeld ? `numbers from ${hi} on of ${where} wait ${settled.heldBy ?? 'for a later run'}` : null
  return { lo, hi, exact: isExact, note, settled: null, unit: 1n, unsettled: isExact ? found.unsettled : null }
}

async function drawnNumbers(extraction: Extraction, column: string, connection: Connection, { adapter }: SourceTable) {
  const rows = async (text: string, parameters: readonly string[]) => (await connection.query(text, parameters)).rows
  // Where nobody may ask, the table itself says how far its counter has come.
  const nothing = { last: null, areKept: false }
  const { last, areKept } = await adapter
    .drawnNumbers(rows, extraction.source.definition.table, column)
    .catch(() => nothing)
  return { last: last === null ? null : BigInt(last), areKept }
}

function maximum(one: bigint, other: bigint | null): bigint {
  return other !== null && other > one ? other : one
}

/** Says of ids that an update does not move them; null for a number that is not the key, and for an append. */
export function noteOfIds({ source, cursor }: Extraction, load: string): string | null {
  const { primaryKey, database, table } = source.definition
  const isId = cursor?.kind === 'counter' && primaryKey.length === 1 && primaryKey[0]?.name === cursor.name
  if (!isId || load === 'append') return null
  return `${database}.${table} is read by its key ${cursor.name}, which an update does not move: rows are loaded once, and later changes of them are not seen`
}
