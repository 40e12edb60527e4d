import type { OpenBlocks, Text } from '#dray/block/block.ts'
import { decodeBlock } from '#dray/block/copy-text.ts'
import { type MergeTarget, OTHER_SPELLING, type RejectedRow } from '../adapter.ts'

type Reason = Pick<RejectedRow, 'code' | 'column' | 'message'>

/** What becomes of rows whose keys the table takes for one. */
export interface SameKeys {
  /** Rows that give way to a later one of the same text, the last first, by the later one. */
  readonly earlier: ReadonlyMap<number, readonly number[]>
  /** Rows of keys that come in several spellings. */
  readonly refused: ReadonlyMap<number, Reason>
}

/** The reason of a row whose key stands elsewhere in another spelling. */
export function otherSpelling({ key }: MergeTarget, where: string, spelling: readonly Text[]): Reason {
  const column = key.length === 1 ? (key[0] as string) : null
  const message = `The key (${key.join(', ')}) is in ${where} as well in another spelling, ${JSON.stringify(spelling)}, which is the same key for the table. Correct one of them in the source.`
  return { code: OTHER_SPELLING, column, message }
}

/**
 * Tells rows of one key and one text, of which the last counts, from those that are spelled differently, of which none
 * does. `groups` holds the rows of each key that comes more than once, by their last row.
 */
export async function sameKeys(
  target: MergeTarget,
  groups: ReadonlyMap<number, readonly number[]>,
  open: OpenBlocks,
): Promise<SameKeys> {
  const texts = await keyTexts(target, new Set([...groups.values()].flat()), open)
  const earlier = new Map<number, number[]>()
  const refused = new Map<number, Reason>()
  for (const rows of groups.values()) {
    const descending = [...rows].sort((one, other) => other - one)
    const spellings = new Set(descending.map((row) => texts.get(row) as string))
    const [last, ...before] = descending as [number, ...number[]]
    if (spellings.size === 1) earlier.set(last, before)
    else for (const row of rows) refused.set(row, reasonOf(target, texts.get(row) as string, spellings))
  }
  return { earlier, refused }
}

function reasonOf(target: MergeTarget, own: string, spellings: ReadonlySet<string>): Reason {
  const other = [...spellings].find((spelling) => spelling !== own) as string
  return otherSpelling(target, 'these rows', JSON.parse(other))
}

async function keyTexts(
  { key, columns }: MergeTarget,
  wanted: ReadonlySet<number>,
  open: OpenBlocks,
): Promise<Map<number, string>> {
  const places = key.map((column) => columns.indexOf(column))
  const found = new Map<number, string>()
  let row = 0
  for await (const block of open()) {
    for (const texts of decodeBlock(block)) {
      if (wanted.has(row)) found.set(row, JSON.stringify(places.map((place) => texts[place] ?? null)))
      row += 1
    }
  }
  return found
}
