import type { CopyBlock, OpenBlocks } from '#dray/block/block.ts'
import { pickLines } from '#dray/block/block-lines.ts'
import type { MergeResult, RejectedRow } from '../adapter.ts'

/** Of refused rows, the earlier rows of the same key, counted as duplicates so far; the last first. */
export type StandIns = ReadonlyMap<number, readonly number[]>

/** So many rows of a key are tried one after another; a table that refuses them all refuses the rest as well. */
const MOST_TRIED = 100
const LINES_IN_A_BLOCK = 1_000

/**
 * Writes rows in the place of later ones of their key that were refused: of each key the next, until one is taken.
 * `merge` is given rows of different keys. Those that are left after a hundred refusals are rejected without being
 * tried.
 */
export async function writeStandIns(
  first: MergeResult,
  standIns: StandIns,
  open: OpenBlocks,
  merge: (open: OpenBlocks) => Promise<MergeResult>,
): Promise<MergeResult> {
  let { inserted, updated, unchanged, duplicate } = first
  const rejected = [...first.rejected]
  let live = [...standIns.values()].filter((rows) => rows.length > 0)
  let refusals: RejectedRow[] = []
  for (let nth = 0; live.length > 0 && nth < MOST_TRIED; nth++) {
    const waiting = new Map(live.map((rows) => [rows[nth] as number, rows]))
    const rows = [...waiting.keys()].sort((one, other) => one - other)
    const lines = await pickLines(open(), rows)
    const result = await merge(() => blocksOf(lines))
    inserted += result.inserted
    updated += result.updated
    unchanged += result.unchanged
    duplicate -= rows.length
    refusals = result.rejected.map((one) => ({ ...one, row: rows[one.row] as number }))
    rejected.push(...refusals)
    live = refusals.flatMap(({ row }) => {
      const own = waiting.get(row) as readonly number[]
      return own.length > nth + 1 ? [own] : []
    })
  }
  const untried = live.flatMap((rows) => {
    const last = refusals.find(({ row }) => row === rows[MOST_TRIED - 1]) as RejectedRow
    return rows.slice(MOST_TRIED).map((row) => ({ row, last }))
  })
  rejected.push(...(await notTried(untried, open)))
  duplicate -= untried.length
  return { inserted, updated, unchanged, duplicate, rejected: rejected.sort((one, other) => one.row - other.row) }
}

async function notTried(
  untried: { readonly row: number; readonly last: RejectedRow }[],
  open: OpenBlocks,
): Promise<RejectedRow[]> {
  if (untried.length === 0) return []
  untried.sort((one, other) => one.row - other.row)
  const rows = untried.map(({ row }) => row)
  const lines = await pickLines(open(), rows)
  return untried.map(({ row, last }, index) => ({
    row,
    line: lines[index] as string,
    code: last.code,
    column: last.column,
    message: `not tried, since the last ${MOST_TRIED + 1} rows of its key were refused before it: ${last.message}`,
  }))
}

function* blocksOf(lines: readonly string[]): Generator<CopyBlock> {
  for (let start = 0; start < lines.length; start += LINES_IN_A_BLOCK) {
    const part = lines.slice(start, start + LINES_IN_A_BLOCK)
    yield { bytes: Buffer.from(part.map((line) => `${line}\n`).join('')), rows: part.length }
  }
}
