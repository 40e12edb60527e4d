import type { Text } from '#dray/block/block.ts'

export interface MergeCounts {
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  readonly duplicate: number
}

/**
 * The counts of a merge of so many rows, from its answer: the rows of different keys, those inserted, those updated.
 */
export function countsOf(given: number, rows: readonly (readonly Text[])[]): MergeCounts {
  const [distinct, inserted, updated] = (rows[0] as readonly Text[]).map(Number) as [number, number, number]
  return { inserted, updated, unchanged: distinct - inserted - updated, duplicate: given - distinct }
}
