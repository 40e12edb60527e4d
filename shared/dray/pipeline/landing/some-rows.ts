import type { OpenBlocks } from '#dray/block/block.ts'
import { BlockEncoder, linesOf } from '#dray/block/copy-text.ts'
import type { MergeResult, RejectedRow } from '#dray/database/adapter.ts'
import type { Reason } from '#dray/database/merge/spellings.ts'

/** Rows by their places, with why they are refused; null for one that is left out without a fault. */
export type LeftOut = ReadonlyMap<number, Reason | null>

/** All rows but these. */
export function withoutRows(open: OpenBlocks, leftOut: LeftOut): OpenBlocks {
  if (leftOut.size === 0) return open
  return async function* () {
    const encoder = new BlockEncoder()
    let place = 0
    for await (const block of open()) {
      for (const line of linesOf(block)) {
        const full = leftOut.has(place++) ? null : encoder.pushLine(line)
        if (full !== null) yield full
      }
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }
}

/** What a load came to whose input was without these rows: rejected rows have their places among all. */
export async function withRefused(merged: MergeResult, open: OpenBlocks, leftOut: LeftOut): Promise<MergeResult> {
  const hasReasons = [...leftOut.values()].some((reason) => reason !== null)
  if (leftOut.size === 0 || (merged.rejected.length === 0 && !hasReasons)) return merged
  const byPlace = new Map(merged.rejected.map((row) => [row.row, row]))
  const rejected: RejectedRow[] = []
  let row = 0
  let loaded = 0
  for await (const block of open()) {
    for (const line of linesOf(block)) {
      const reason = leftOut.get(row)
      const one = reason === undefined ? byPlace.get(loaded++) : reason && { line, ...reason }
      if (one) rejected.push({ ...one, row })
      row += 1
    }
  }
  return { ...merged, rejected }
}
