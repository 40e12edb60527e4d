import { sql } from 'kysely'
import { tableName, where } from '#dray/active-record/sql.ts'
import type { Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { BackfillMode } from '#dray/messages/run-mode.ts'
import { type Duration, secondsOf } from '#dray/pipeline/declare/duration.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { compareInstants, instantOf, instantText, microsOf } from '#dray/pipeline/texts/instant.ts'
import type { Services } from '../services.ts'
import { MOST_PARTITIONS } from './capacity.ts'
import { checkNullCursors } from './checked-cursor.ts'
import { cursorOf } from './cursor-value.ts'
import type { Draft } from './draft.ts'
import { cut, type Partition } from './partitions.ts'
import { ownRows } from './source-rows.ts'
import { type SourceTable, sourceTable } from './source-table.ts'
import { rangeCondition, settledWindow, type Window } from './window.ts'

const CHUNK: Duration = '1d'

/**
 * A range of the cursor, chunk after chunk; a chunk with many rows is cut by keys, too. Rows that have landed are not
 * planned again when the run is resumed: each chunk is a separate partition.
 */
export async function draftBackfill(
  pipeline: Pipeline,
  asked: BackfillMode['backfill'],
  services: Services,
): Promise<Draft> {
  const { extract } = pipeline
  const range = rangeOf(extract, asked)
  return extract.source.database.withConnection(async (connection, adapter) => {
    const table = await sourceTable(extract, connection, adapter)
    const before = { lastRun: null, seen: {}, signal: services.signal }
    const {
      settled: _,
      unsettled: __,
      unit: _unit,
      ...settled
    } = await settledWindow(extract, before, connection, table)
    const notes: string[] = settled.note === null ? [] : [settled.note]
    const isByNumber = cursorOf(extract).kind === 'counter'
    const window = settledRange(range, settled, notes, isByNumber ? compareNumbers : compareInstants)
    const nulls = await checkNullCursors(pipeline.name, extract, connection, table)
    if (nulls !== null) notes.push('rows without a cursor are in no backfill')
    const chunks = isByNumber
      ? numberChunks(window, asked.chunk ?? null, notes)
      : chunksOf(window, asked.chunk ?? CHUNK, notes)
    const drafted = await partitionsOf(extract, chunks, connection, table, services.signal)
    return { window: { ...settled, ...window }, ...drafted, advances: false, notes }
  })
}

/** How many rows a range has, before any of it is planned. Throws `Configuration` for what is no range. */
export async function rowsOfRange(
  extract: Extraction,
  asked: BackfillMode['backfill'],
  signal: AbortSignal,
): Promise<number> {
  const range = rangeOf(extract, asked)
  return extract.source.database.withConnection(async (connection, adapter) => {
    const table = await sourceTable(extract, connection, adapter)
    const conditions = [...ownRows(extract, table), rangeCondition(extract, range, table)]
    const { sql: text, parameters } = compile(
      adapter,
      sql`select count(*) from ${tableName(extract.source.definition)}${where(conditions)}`,
    )
    return Number((await connection.query(text, parameters, { signal })).rows[0]?.[0])
  })
}

interface Range {
  readonly lo: string
  readonly hi: string
}

function rangeOf(extract: Extraction, asked: BackfillMode['backfill']): Range {
  const { kind } = cursorOf(extract)
  if (kind === 'counter') return numbersOf(asked)
  if (kind === 'xid') {
    throw new ConfigurationError(
      `${extract.source.definition.table} is read by an xid cursor, which knows no time, so no range of it can be loaded again; \`dray state reset\` has all rows read once more, \`--keys\` single ones`,
    )
  }
  const range = { lo: instantOf(asked.from, '--from'), hi: instantOf(asked.to, '--to') }
  if (compareInstants(range.lo, range.hi) < 0) return range
  throw new ConfigurationError(
    `--from ${asked.from} is not before --to ${asked.to}, so there is nothing between them and nothing was done; --to is not part of the range`,
  )
}

/** Past what is settled, rows may still be on the way: they are for the next usual run. */
function settledRange(range: Range, settled: Window, notes: string[], compare: typeof compareInstants): Range {
  if (compare(range.hi, settled.hi) <= 0) return range
  notes.push(`the backfill ends at ${settled.hi}, up to where the source is settled, and not at ${range.hi}`)
  return { lo: range.lo, hi: compare(range.lo, settled.hi) < 0 ? settled.hi : range.lo }
}

function compareNumbers(one: string, other: string): number {
  return BigInt(one) < BigInt(other) ? -1 : Number(BigInt(one) > BigInt(other))
}

function numbersOf({ from, to }: BackfillMode['backfill']): Range {
  for (const [option, text] of [
    ['--from', from],
    ['--to', to],
  ] as const) {
    if (!/^-?\d{1,20}$/.test(text))
      throw new ConfigurationError(
        `${option} ${text} is no number of the counter, so nothing was done; write it as 1000`,
      )
  }
  if (compareNumbers(from, to) < 0) return { lo: from, hi: to }
  throw new ConfigurationError(
    `--from ${from} is not before --to ${to}, so there is nothing between them and nothing was done; --to is not part of the range`,
  )
}

/** The whole range, which is cut by keys, or chunks of so many numbers. */
function numberChunks({ lo, hi }: Range, asked: string | null, notes: string[]): Range[] {
  if (asked === null || asked === CHUNK) return [{ lo, hi }]
  if (!/^[1-9]\d{0,18}$/.test(asked))
    throw new ConfigurationError(
      `--chunk ${asked} is not how many numbers are loaded at once; give 10000, or leave it out`,
    )
  const [start, end, most] = [BigInt(lo), BigInt(hi), BigInt(MOST_PARTITIONS)]
  let size = BigInt(asked)
  if ((end - start + size - 1n) / size > most) {
    size = (end - start + most - 1n) / most
    notes.push(`chunks are of ${size} numbers, since a run has ${MOST_PARTITIONS} partitions at most`)
  }
  const chunks: Range[] = []
  for (let at = start; at < end; at += size)
    chunks.push({ lo: String(at), hi: at + size < end ? String(at + size) : hi })
  return chunks
}

/** Half-open chunks, one after the other; longer ones than asked for where they would be too many. */
function chunksOf({ lo, hi }: Range, asked: string, notes: string[]): Range[] {
  const [start, end] = [microsOf(lo) as bigint, microsOf(hi) as bigint]
  let size = BigInt(secondsOf(asked as Duration)) * 1_000_000n
  if (size <= 0n) throw new ConfigurationError(`--chunk ${asked} is no time at all; give 1h, 1d or 30d`)
  const most = BigInt(MOST_PARTITIONS)
  if ((end - start + size - 1n) / size > most) {
    size = (end - start + most - 1n) / most
    notes.push(`chunks are ${Number(size / 1_000_000n)} s long, since a run has ${MOST_PARTITIONS} partitions at most`)
  }
  const chunks: Range[] = []
  for (let at = start; at < end; at += size) {
    const isLast = at + size >= end
    chunks.push({ lo: instantText(at), hi: isLast ? hi : instantText(at + size) })
  }
  return chunks
}

async function partitionsOf(
  extract: Extraction,
  chunks: readonly Range[],
  connection: Connection,
  table: SourceTable,
  signal: AbortSignal,
): Promise<{ rows: number; partitions: Partition[] }> {
  const found: { readonly window: Range; readonly rows: number; readonly ranges: readonly Partition[] }[] = []
  for (const window of chunks) {
    const { rows, ranges } = await cut(extract, [rangeCondition(extract, window, table)], connection, table, signal)
    if (rows > 0) found.push({ window, rows, ranges })
  }
  const total = found.reduce((sum, { ranges }) => sum + ranges.length, 0)
  // Cut by keys only as far as there is room: a long chunk is still loaded, in one piece.
  const byKeys = total <= MOST_PARTITIONS
  return {
    rows: found.reduce((sum, { rows }) => sum + rows, 0),
    partitions: found.flatMap(({ window, ranges }) =>
      byKeys ? ranges.map((range) => ({ ...range, window })) : [{ after: null, upTo: null, window }],
    ),
  }
}
