import type { Text } from '#dray/block/block.ts'

type Keyed = readonly (readonly [place: number, key: readonly Text[]])[]

/**
 * The places of rows whose stored values other rows take: `stored` has of each row its key in the table, `taken` of
 * each row the key of a row in the table that has its unique values.
 */
export function waitedFor(stored: Keyed, taken: Keyed): readonly number[] {
  const holders = new Map(stored.map(([place, key]) => [JSON.stringify(key), place]))
  const found = new Set<number>()
  for (const [place, key] of taken) {
    const holder = holders.get(JSON.stringify(key))
    if (holder !== undefined && holder !== place) found.add(holder)
  }
  return [...found].sort((one, other) => one - other)
}
