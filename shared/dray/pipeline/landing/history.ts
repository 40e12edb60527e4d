import { mergeBlocks, mergeTarget } from '#dray/active-record/bulk.ts'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder, decodeBlock, encodeLine, linesOf } from '#dray/block/copy-text.ts'
import type { MergeResult, QueryOptions, RejectedRow } from '#dray/database/adapter.ts'
import { TerminalError, TransientError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { canonicalKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { currentVersions, versionsOf } from './current-versions.ts'
import { cutToHeld, withHeldKeys, withHeldMoments } from './held-values.ts'
import { type Decisions, decide, rowsOf } from './history-decisions.ts'
import { HistoryLayout } from './history-layout.ts'
import { keylessRows } from './keyless-rows.ts'
import { reasonWithoutValues } from './rejected-rows.ts'
import { spelledRows } from './spelled-rows.ts'

/** Refused rows of a key that are met one after another; the rest of its rows is refused without being tried. */
const MOST_TRIED = 20

/**
 * Writes new versions of what has changed and closes the ones before, in the open transaction. Of a key that comes more
 * than once the last row counts that the target does not refuse. Where it refuses them all, the version before stays
 * open.
 */
export async function writeVersions(
  pipeline: Pipeline,
  rows: OpenBlocks,
  options: QueryOptions & { readonly respell: boolean },
): Promise<MergeResult> {
  const layout = new HistoryLayout(pipeline)
  const cut = await cutToHeld(layout)
  const open = await withHeldKeys(layout, cut === null ? rows : withHeldMoments(layout, rows, cut))
  const refused = new Map([
    ...(await spelledRows(layout, open, { signal: options.signal })),
    ...(await keylessRows(layout, open)),
  ])
  const alike = new Set<number>()
  for (let tries = 1; ; tries++) {
    if (tries > MOST_TRIED) await refuseRest(layout, open, refused)
    const decisions = await decide(layout, open, { refused, alike, respell: options.respell })
    if (decisions.spelled.size > 0) {
      await refuseSpelled(layout, open, decisions.spelled, refused)
      continue
    }
    const attempt = await write(layout, open, decisions, { refused, alike }, options)
    if (attempt !== null) {
      return {
        inserted: attempt.inserted,
        // A version that this very run has begun, and a second row of its key.
        updated: attempt.updated,
        unchanged: decisions.unchanged + attempt.unchanged,
        duplicate: decisions.duplicate,
        rejected: [...refused.values()].sort((one, other) => one.row - other.row),
      }
    }
  }
}

/** Whether a row takes the place of another one, or was given its key anew, is not known before all rows are read. */
async function refuseSpelled(
  layout: HistoryLayout,
  open: OpenBlocks,
  spelled: Decisions['spelled'],
  refused: Map<number, RejectedRow>,
): Promise<void> {
  let row = 0
  for await (const texts of rowsOf(open)) {
    const reason = spelled.get(layout.key(texts))
    if (reason !== undefined && !refused.has(row)) refused.set(row, { row, line: encodeLine(texts), ...reason })
    row += 1
  }
}

/** Takes every row whose key has been refused for refused. */
async function refuseRest(layout: HistoryLayout, open: OpenBlocks, refused: Map<number, RejectedRow>): Promise<void> {
  const keys = new Map<string, RejectedRow>()
  let row = 0
  for await (const texts of rowsOf(open)) {
    const one = refused.get(row++)
    if (one !== undefined) keys.set(layout.key(texts), one)
  }
  row = 0
  for await (const texts of rowsOf(open)) {
    const one = keys.get(layout.key(texts))
    if (one !== undefined && !refused.has(row)) {
      const message = `not tried, since ${MOST_TRIED} rows were refused one after another, of this key as well: ${one.message}`
      refused.set(row, { ...one, row, line: encodeLine(texts), message })
    }
    row += 1
  }
}

/** The places of rows that are not to be written. */
interface Unwritten {
  readonly refused: Map<number, RejectedRow>
  /** Rows that the target stores as what it holds already: a trigger rewrites them. */
  readonly alike: Set<number>
}

/** Closes and inserts under a savepoint; null when rows turn out to be not to be written, and are noted as such. */
async function write(
  layout: HistoryLayout,
  open: OpenBlocks,
  { write, close }: Decisions,
  { refused, alike }: Unwritten,
  { respell, ...options }: QueryOptions & { readonly respell: boolean },
): Promise<MergeResult | null> {
  const places = [...write.keys()].sort((one, other) => one - other)
  const undo = new Undo()
  try {
    return await layout.database.transaction(async () => {
      // Rows that spell one key in several ways close the same version.
      const closing = [...new Map([...close.values()].map((row) => [layout.key(row), row])).values()]
      const kept = await rewrite(layout, closing, options)
      if (kept.length > 0) {
        const reasons = new Map(kept.map((one) => [layout.key(closing[one.row] as Text[]), one]))
        for (const [place, closed] of close) {
          const reason = reasons.get(layout.key(closed))
          if (reason !== undefined) refused.set(place, { ...reason, row: place, message: notClosed(reason) })
        }
        throw undo
      }
      // Another partition may have begun a version of the same key meanwhile, with a newer row.
      const into = {
        ...mergeInto(layout),
        respell,
        version: layout.version === null ? undefined : layout.column(layout.version).column,
      }
      const merged = await mergeBlocks(layout.database, into, () => chosen(layout, open, write), options)
      const same = merged.rejected.length === 0 ? await heldBefore(layout, close) : []
      if (merged.rejected.length === 0 && same.length === 0) return merged
      for (const place of same) alike.add(place)
      for (const one of merged.rejected) {
        const place = places[one.row] as number
        refused.set(place, { ...one, row: place })
      }
      throw undo
    })
  } catch (error) {
    if (error === undo) return null
    throw error
  }
}

class Undo extends Error {}

function notClosed({ message }: RejectedRow): string {
  return `the version before cannot be closed: ${message}`
}

/** The places of new versions that hold, as they are stored, what those held that they closed. */
async function heldBefore(layout: HistoryLayout, close: Decisions['close']): Promise<number[]> {
  const same: number[] = []
  for (const group of inGroups(close)) {
    const stored = await versionsOf(
      layout,
      group.map(([, closed]) => closed),
    )
    for (const [place, closed] of group) {
      const version = stored.get(layout.key(closed))
      if (version !== undefined && !layout.differs(version, closed)) same.push(place)
    }
  }
  return same
}

function mergeInto(layout: HistoryLayout) {
  const { target, goneBy } = layout.pipeline.load
  return mergeTarget(target.definition, 'upsert', { by: [...goneBy, layout.fields.validFrom] })
}

async function* chosen(layout: HistoryLayout, open: OpenBlocks, write: Decisions['write']): AsyncGenerator<CopyBlock> {
  const encoder = new BlockEncoder()
  let place = 0
  for await (const block of open()) {
    for (const line of linesOf(block)) {
      const at = place++
      if (!write.has(at)) continue
      const full = encoder.pushLine(inPlaceOf(layout, line, write.get(at) ?? null, block))
      if (full !== null) yield full
    }
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

function inPlaceOf(layout: HistoryLayout, line: string, from: Text, block: CopyBlock): string {
  if (from === null) return line
  const [row = []] = decodeBlock({ ...block, bytes: Buffer.from(`${line}\n`), rows: 1 })
  row[layout.from] = from
  return encodeLine(row)
}

/** Writes rows that are there again, with what has changed in them. Returns those that the table refuses. */
async function rewrite(
  layout: HistoryLayout,
  rows: readonly Text[][],
  options: QueryOptions,
): Promise<readonly RejectedRow[]> {
  if (rows.length === 0) return []
  const blocks: CopyBlock[] = []
  const encoder = new BlockEncoder()
  for (const row of rows) {
    const full = encoder.push(row)
    if (full !== null) blocks.push(full)
  }
  const rest = encoder.flush()
  if (rest !== null) blocks.push(rest)
  const merged = await mergeBlocks(layout.database, mergeInto(layout), () => blocks, options)
  const { updated, rejected } = merged
  if (updated === rows.length) return []
  const { database, table } = layout.pipeline.load.target.definition
  const open = await currentVersions(
    layout,
    rows.map((row) => layout.keyTexts(row)),
  )
  const isOpen = (row: readonly Text[]) => open.get(layout.key(row))?.[layout.from] === row[layout.from]
  const areOpen = rejected.every(({ row }) => isOpen(rows[row] as Text[]))
  if (updated + rejected.length === rows.length && areOpen) return rejected
  if (rejected.length === 0 && !rows.some(isOpen)) {
    throw new TransientError(
      `${layout.pipeline.name}: another delivery, or a partition with the same keys, has closed versions in ${database}.${table} meanwhile, so nothing was written; tried again, it finds those of now`,
    )
  }
  const [first] = rejected
  const reason = first === undefined ? 'the table holds other rows of these keys' : reasonWithoutValues(first)
  throw unclosed(layout, rows.length - updated, reason)
}

function unclosed(layout: HistoryLayout, versions: number, reason: string): TerminalError {
  const { database, table } = layout.pipeline.load.target.definition
  return new TerminalError(
    `${layout.pipeline.name}: ${versions} versions in ${database}.${table} could not be closed, so nothing was written: ${reason}`,
  )
}

/** Ends the current versions of these keys; says how many. In the open transaction. */
export async function closeVersions(
  pipeline: Pipeline,
  keys: readonly (readonly Text[])[],
  start: string,
  options: QueryOptions,
): Promise<number> {
  const layout = new HistoryLayout(pipeline)
  const at = (await cutToHeld(layout))?.(start) ?? start
  let closed = 0
  for (const group of inGroups(keys)) {
    const wanted = new Set(group.map((key) => keyOf(canonicalKey(layout.by, key))))
    const rows = [...(await currentVersions(layout, group))].filter(([key]) => wanted.has(key)).map(([, row]) => row)
    const kept = await rewrite(
      layout,
      rows.map((row) => layout.closed(row, at)),
      options,
    )
    const [first] = kept
    if (first !== undefined) {
      throw unclosed(layout, kept.length, reasonWithoutValues(first))
    }
    closed += rows.length
  }
  return closed
}
