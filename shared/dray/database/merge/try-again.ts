import type { OpenBlocks } from '#dray/block/block.ts'
import type { MergeResult } from '../adapter.ts'
import { blocksOf } from './stand-ins.ts'

/**
 * Merges refused rows again for as long as others land: a row may wait for its parent, or for a value that another one
 * gives up. `mayLand` says by its code whether other rows can cure a refusal.
 */
export async function tryAgain(
  first: MergeResult,
  mayLand: (code: string) => boolean,
  merge: (open: OpenBlocks) => Promise<MergeResult>,
): Promise<MergeResult> {
  let all = first
  let landed = first.inserted + first.updated
  while (landed > 0) {
    const again = all.rejected.filter(({ code }) => mayLand(code))
    if (again.length === 0) break
    const next = await merge(() => blocksOf(again.map(({ line }) => line)))
    const rejected = next.rejected.map((one) => ({ ...one, row: again[one.row]?.row as number }))
    const rest = all.rejected.filter(({ code }) => !mayLand(code))
    landed = next.inserted + next.updated
    all = {
      inserted: all.inserted + next.inserted,
      updated: all.updated + next.updated,
      unchanged: all.unchanged + next.unchanged,
      duplicate: all.duplicate + next.duplicate,
      rejected: [...rest, ...rejected].sort((one, other) => one.row - other.row),
    }
  }
  return all
}
