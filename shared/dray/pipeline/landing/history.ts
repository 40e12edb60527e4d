import { sql } from 'kysely'
import { mergeBlocks, mergeTarget } from '#dray/active-record/bulk.ts'
import { columnName, readColumn, tableName } from '#dray/active-record/sql.ts'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder, decodeBlock, encodeLine, linesOf } from '#dray/block/copy-text.ts'
import type { MergeResult, QueryOptions, RejectedRow } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError, TransientError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { canonicalKey, hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { cutToHeld, withHeldMoments } from './held-moments.ts'
import { HistoryLayout } from './history-layout.ts'
import { keylessRows } from './keyless-rows.ts'

/** What becomes of the rows of one load, by their place. */
interface Decisions {
  /** Rows to write; with the start of the version that they take the place of, or null for a new one. */
  readonly write: Map<number, Text>
  /** The rows that are closed when a new version is written, by its place. */
  readonly close: Map<number, Text[]>
  readonly unchanged: number
  readonly duplicate: number
}

/** Refused rows of a key that are met one after another; the rest of its rows is refused without being tried. */
const MOST_TRIED = 100

/**
 * Writes new versions of what has changed and closes the ones before, in the open transaction. Of a key that comes more
 * than once the last row counts that the target does not refuse. Where it refuses them all, the version before stays
 * open.
 */
export async function writeVersions(pipeline: Pipeline, rows: OpenBlocks, options: QueryOptions): Promise<MergeResult> {
  const layout = new HistoryLayout(pipeline)
  const cut = await cutToHeld(layout)
  const open = cut === null ? rows : withHeldMoments(layout, rows, cut)
  const refused = await keylessRows(layout, open)
  for (let tries = 1; ; tries++) {
    if (tries > MOST_TRIED) await refuseRest(layout, open, refused)
    const decisions = await decide(layout, open, refused)
    const attempt = await write(layout, open, decisions, refused, options)
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

async function decide(
  layout: HistoryLayout,
  open: OpenBlocks,
  refused: ReadonlyMap<number, RejectedRow>,
): Promise<Decisions> {
  const last = new Map<string, number>()
  let rows = 0
  for await (const row of rowsOf(open)) {
    if (!refused.has(rows)) last.set(layout.key(row), rows)
    rows += 1
  }
  const write: Decisions['write'] = new Map()
  const close: Decisions['close'] = new Map()
  let unchanged = 0
  let place = 0
  for await (const block of open()) {
    const wanted: { place: number; row: Text[] }[] = []
    for (const row of decodeBlock(block)) {
      if (last.get(layout.key(row)) === place) wanted.push({ place, row })
      place += 1
    }
    for (const group of inGroups(wanted)) {
      const current = await currentVersions(
        layout,
        group.map(({ row }) => layout.keyTexts(row)),
      )
      await addOtherSpellings(
        layout,
        group.map(({ row }) => row),
        current,
      )
      for (const { place: at, row } of group) {
        const known = current.get(layout.key(row))
        if (known === undefined) write.set(at, null)
        else if (layout.isOlder(row, known) || !layout.differs(row, known)) unchanged += 1
        else if (layout.beginsLater(row, known)) {
          write.set(at, null)
          close.set(at, layout.closed(known, row[layout.from] ?? null))
        } else write.set(at, known[layout.from] ?? null)
      }
    }
  }
  return { write, close, unchanged, duplicate: rows - refused.size - last.size }
}

async function* rowsOf(open: OpenBlocks): AsyncGenerator<Text[]> {
  for await (const block of open()) yield* decodeBlock(block)
}

/** The current versions of these keys, byte by byte. */
async function currentVersions(
  layout: HistoryLayout,
  keys: readonly (readonly Text[])[],
): Promise<Map<string, Text[]>> {
  const { definition } = layout.pipeline.load.target
  const rows = await layout.database.withConnection(async (connection, adapter) => {
    const statement = compile(
      adapter,
      sql`select ${sql.join(layout.columns.map((column) => readColumn(adapter, column)))} from ${tableName(definition)}
        where ${columnName(layout.column(layout.to))} is null and ${hasKey(adapter, layout.by, keys)}`,
    )
    return (await connection.query(statement.sql, statement.parameters)).rows
  })
  const found = new Map<string, Text[]>()
  for (const row of rows) {
    const key = layout.key(row)
    if (found.has(key)) {
      throw new TerminalError(
        `${layout.pipeline.name}: ${definition.database}.${definition.table} has two current versions of ${key}, so it is not known which one to close and nothing was written; give all but one of them a ${layout.fields.validTo}`,
      )
    }
    found.set(key, [...row])
  }
  return found
}

/**
 * Versions whose key the target takes for one of these, and holds in another spelling, under the spelling that is
 * loaded: there is one current version of what is one key for the target.
 */
async function addOtherSpellings(
  layout: HistoryLayout,
  rows: readonly (readonly Text[])[],
  current: Map<string, Text[]>,
): Promise<void> {
  const wanted = new Set(rows.map((row) => layout.key(row)))
  if ([...current.keys()].every((key) => wanted.has(key))) return
  for (const row of rows) {
    const key = layout.key(row)
    if (current.has(key)) continue
    const [stored] = (await currentVersions(layout, [layout.keyTexts(row)])).values()
    if (stored !== undefined) current.set(key, stored)
  }
}

/** Closes and inserts under a savepoint; null when rows were refused, which are in `refused` then. */
async function write(
  layout: HistoryLayout,
  open: OpenBlocks,
  { write, close }: Decisions,
  refused: Map<number, RejectedRow>,
  options: QueryOptions,
): Promise<MergeResult | null> {
  const places = [...write.keys()]
  const undo = new Undo()
  try {
    return await layout.database.transaction(async () => {
      await rewrite(layout, [...close.values()], options)
      // Another partition may have begun a version of the same key meanwhile, with a newer row.
      const into = {
        ...mergeInto(layout),
        version: layout.version === null ? undefined : layout.column(layout.version).column,
      }
      const merged = await mergeBlocks(layout.database, into, () => chosen(layout, open, write), options)
      if (merged.rejected.length === 0) return merged
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

function mergeInto(layout: HistoryLayout) {
  const { target, by } = layout.pipeline.load
  return mergeTarget(target.definition, 'upsert', { by: [...by, layout.fields.validFrom] })
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

/** Writes rows that are there again, with what has changed in them. */
async function rewrite(layout: HistoryLayout, rows: readonly Text[][], options: QueryOptions): Promise<void> {
  if (rows.length === 0) return
  const blocks: CopyBlock[] = []
  const encoder = new BlockEncoder()
  for (const row of rows) {
    const full = encoder.push(row)
    if (full !== null) blocks.push(full)
  }
  const rest = encoder.flush()
  if (rest !== null) blocks.push(rest)
  const merged = await mergeBlocks(layout.database, mergeInto(layout), () => blocks, options)
  if (merged.updated === rows.length) return
  const { database, table } = layout.pipeline.load.target.definition
  const open = await currentVersions(
    layout,
    rows.map((row) => layout.keyTexts(row)),
  )
  const isOpen = (row: readonly Text[]) => open.get(layout.key(row))?.[layout.from] === row[layout.from]
  if (merged.rejected.length === 0 && !rows.some(isOpen)) {
    throw new TransientError(
      `${layout.pipeline.name}: another delivery, or a partition with the same keys, has closed versions in ${database}.${table} meanwhile, so nothing was written; tried again, it finds those of now`,
    )
  }
  const reason = merged.rejected[0]?.message ?? 'the table holds other rows of these keys'
  throw new TerminalError(
    `${layout.pipeline.name}: ${rows.length - merged.updated} of ${rows.length} versions in ${database}.${table} could not be closed, so nothing was written: ${reason}`,
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
    await rewrite(
      layout,
      rows.map((row) => layout.closed(row, at)),
      options,
    )
    closed += rows.length
  }
  return closed
}
