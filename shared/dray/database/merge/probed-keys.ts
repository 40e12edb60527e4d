import type { CopyBlock, Text } from '#dray/block/block.ts'
import { blockLines } from '#dray/block/block-lines.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import type { MergeTarget } from '../adapter.ts'

/** Keys of the first block that are looked up before it is believed that all are new. */
const PROBED_KEYS = 32

/** Some of a block's keys, which stand for the others: each with its values in the order of the key. */
export function probedKeys({ key, columns }: MergeTarget, block: CopyBlock): Text[][] {
  if (key.length === 0) return []
  const places = key.map((column) => columns.indexOf(column))
  const lines = blockLines(block)
  const keys: Text[][] = []
  for (let line = 0; line < lines.count; line += Math.ceil(lines.count / PROBED_KEYS)) {
    const fields = decodeLine(lines.text(line))
    keys.push(places.map((place) => fields[place] ?? null))
  }
  return keys
}
