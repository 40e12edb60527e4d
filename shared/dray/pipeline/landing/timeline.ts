import { mergeBlocks, mergeTarget } from '#dray/active-record/bulk.ts'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder, decodeBlock, encodeLine } from '#dray/block/copy-text.ts'
import type { MergeResult, QueryOptions, RejectedRow } from '#dray/database/adapter.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { compareInstants } from '#dray/pipeline/texts/instant.ts'
import { canonicalKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { cutToHeld, withHeldKeys } from './held-values.ts'
import { rowsOf } from './history-decisions.ts'
import { HistoryLayout } from './history-layout.ts'
import { keylessRows } from './keyless-rows.ts'
import { makeRoom, mendEnds } from './mend-ends.ts'
import { versionsAt } from './versions-at.ts'

/** So often rows are left out whose neighbours the target does not let be mended. */
const MOST_ROUNDS = 20

/** The code of a row that begins at a moment which the table cannot hold. */
const TOO_FINE = 'start_too_fine'

interface Options extends QueryOptions {
  readonly respell: boolean
  /** False for some rows alone, which say nothing of whether the source has their keys now. */
  readonly isWholeRun: boolean
}

/**
 * Writes versions that hold from a time of the source's, in the open transaction, which keeps other loads of the
 * pipeline out. A row is the version of its key and its start, in whatever order they come; each version ends where the
 * next one of its key begins, or where the key was found to be gone.
 */
export async function writeTimeline(pipeline: Pipeline, rows: OpenBlocks, options: Options): Promise<MergeResult> {
  const layout = new HistoryLayout(pipeline)
  const open = await withHeldKeys(layout, rows)
  const finer = new Map([...(await finerStarts(layout, open)), ...(await keylessRows(layout, open))])
  const kept = new Map<string, RejectedRow>()
  for (let round = 0; ; round++) {
    const faults: Faults = new Map()
    const merged = await attempt(layout, open, { finer, kept, faults, isLast: round === MOST_ROUNDS }, options)
    if (merged !== null) return merged
    for (const [key, fault] of faults) kept.set(key, fault)
  }
}

/** By its key, why the target does not let a version be mended. */
type Faults = Map<string, RejectedRow>

interface Attempt {
  /** Rows whose start the table cannot hold, or that have no whole key, by their places. */
  readonly finer: ReadonlyMap<number, RejectedRow>
  /** Keys of which nothing is written. */
  readonly kept: ReadonlyMap<string, RejectedRow>
  readonly faults: Faults
  readonly isLast: boolean
}

class Undo extends Error {}

/** Null when versions of some keys could not be mended: then nothing is written, and `faults` has them. */
async function attempt(
  layout: HistoryLayout,
  rows: OpenBlocks,
  { finer, kept, faults, isLast }: Attempt,
  { respell, isWholeRun, signal }: Options,
): Promise<MergeResult | null> {
  const { load, deletes } = layout.pipeline
  const { target, by, version } = load
  const { validTo, current } = layout.fields
  const chosen = await placesBut(layout, rows, { finer, kept })
  const open = deletes.kind === 'close' ? await withKnownEnds(layout, chosen.open) : chosen.open
  const whole = mergeTarget(target.definition, 'upsert', { by, version: version ?? undefined })
  const ends = [validTo, ...(current === null ? [] : [current])].map(
    (name) => target.definition.byName.get(name)?.column,
  )
  const into = { ...whole, respell, ignore: [...(whole.ignore ?? []), ...ends.map((name) => name ?? '')] }
  const undo = new Undo()
  try {
    return await layout.database.transaction(async () => {
      const reopens = isWholeRun && deletes.kind === 'close'
      const mending = { reopens, isLast, signal }
      const room = await makeRoom(layout, open, mending)
      for (const [key, fault] of room.faults) faults.set(key, fault)
      if (faults.size > 0 && !isLast) throw undo
      const merged = await mergeBlocks(layout.database, into, withEnds(layout, open, room.ends), { signal })
      const rejected = merged.rejected.map((one) => ({ ...one, row: chosen.places[one.row] ?? one.row }))
      const unwritten = new Set([...chosen.left.keys(), ...rejected.map(({ row }) => row)])
      const keys = await keysWritten(layout, rows, unwritten, room.changed)
      for (const [key, fault] of await mendEnds(layout, keys, mending)) faults.set(key, fault)
      if (faults.size > 0) throw undo
      const all = [...rejected, ...chosen.left.values()]
      return { ...merged, rejected: all.sort((one, other) => one.row - other.row) }
    })
  } catch (error) {
    if (error === undo) return null
    throw error
  }
}

interface Chosen {
  readonly open: OpenBlocks
  /** The place of each chosen row among all. */
  readonly places: readonly number[]
  /** The rows that are left out, by their places. */
  readonly left: ReadonlyMap<number, RejectedRow>
}

async function placesBut(
  layout: HistoryLayout,
  rows: OpenBlocks,
  { finer, kept }: Pick<Attempt, 'finer' | 'kept'>,
): Promise<Chosen> {
  const left = new Map(finer)
  if (kept.size + left.size === 0) {
    // Its places are those of all rows.
    return { open: rows, places: [], left }
  }
  const places: number[] = []
  let row = 0
  for await (const texts of rowsOf(rows)) {
    const fault = kept.get(layout.key(texts))
    if (fault === undefined && !left.has(row)) places.push(row)
    else if (fault !== undefined && !left.has(row)) {
      const message = `the versions around it cannot be mended: ${fault.message}`
      left.set(row, { ...fault, row, line: encodeLine(texts), message })
    }
    row += 1
  }
  return { open: () => withoutPlaces(rows, left), places, left }
}

async function* withoutPlaces(rows: OpenBlocks, left: ReadonlyMap<number, unknown>): AsyncGenerator<CopyBlock> {
  const encoder = new BlockEncoder()
  let row = 0
  for await (const texts of rowsOf(rows)) {
    const full = left.has(row++) ? null : encoder.push(texts)
    if (full !== null) yield full
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

/** Rows whose start the table would cut: a version would begin when none did. By their places. */
async function finerStarts(layout: HistoryLayout, rows: OpenBlocks): Promise<Map<number, RejectedRow>> {
  const finer = new Map<number, RejectedRow>()
  const cut = await cutToHeld(layout)
  if (cut === null) return finer
  const { column } = layout.column(layout.from)
  let row = 0
  for await (const texts of rowsOf(rows)) {
    const start = texts[layout.from] ?? null
    if (start !== null && compareInstants(cut(start), start) !== 0) {
      const message = `${column} is ${start}, and the table holds ${cut(start)}, at which no version begins; give the column a finer type, or have the transform cut it`
      finer.set(row, { row, line: encodeLine(texts), code: TOO_FINE, column, message })
    }
    row += 1
  }
  return finer
}

/** The rows with the ends that their versions are going to have. */
function withEnds(layout: HistoryLayout, rows: OpenBlocks, ends: ReadonlyMap<string, Text>): OpenBlocks {
  return async function* () {
    const encoder = new BlockEncoder()
    for await (const row of rowsOf(rows)) {
      const end = layout.isOpen(row) ? (ends.get(layout.versionKey(row)) ?? null) : null
      const full = encoder.push(end === null ? row : layout.ending(row, end))
      if (full !== null) yield full
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }
}

/** The keys of the rows that are written or were there, and of versions that were changed, each once. */
async function keysWritten(
  layout: HistoryLayout,
  rows: OpenBlocks,
  refused: ReadonlySet<number>,
  changed: readonly (readonly Text[])[],
): Promise<readonly (readonly Text[])[]> {
  const keys = new Map(changed.map((key) => [keyOf(canonicalKey(layout.by, key)), key]))
  let row = 0
  for await (const texts of rowsOf(rows)) {
    if (!refused.has(row++)) keys.set(layout.key(texts), layout.keyTexts(texts))
  }
  return [...keys.values()]
}

/** The rows with the ends that their versions have: what is corrected in a version does not begin it anew. */
async function withKnownEnds(layout: HistoryLayout, rows: OpenBlocks): Promise<OpenBlocks> {
  const ended = new Map<number, readonly Text[]>()
  let before = 0
  for await (const block of rows()) {
    for (const group of inGroups(decodeBlock(block))) {
      const known = await versionsAt(layout, group)
      for (const [at, row] of group.entries()) {
        const version = known.get(layout.versionKey(row))
        if (version !== undefined && !layout.isOpen(version)) ended.set(before + at, version)
      }
      before += group.length
    }
  }
  return async function* () {
    const encoder = new BlockEncoder()
    let place = 0
    for await (const row of rowsOf(rows)) {
      const version = ended.get(place++)
      const full = encoder.push(version === undefined ? row : layout.endedAs(row, version))
      if (full !== null) yield full
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }
}
