import type { Text } from '#dray/block/block.ts'

export interface MergeCounts {
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  readonly duplicate: number
}

/**
 * The counts of a merge from its answer: the rows of different keys, those that come again, those inserted, updated and
 * left alone. Null when rows are in none of these: something in the database has dropped them, or their key is stored
 * in another spelling.
 */
export function countsOf(given: number, rows: readonly (readonly Text[])[]): MergeCounts | null {
  const [distinct, duplicate, inserted, updated, unchanged] = (rows[0] as readonly Text[]).map(Number) as Counted
  const adds = distinct + duplicate === given && inserted + updated + unchanged === distinct
  return adds ? { inserted, updated, unchanged, duplicate } : null
}

type Counted = [distinct: number, duplicate: number, inserted: number, updated: number, unchanged: number]
