import type { OpenBlocks } from '#dray/block/block.ts'
import { decodeBlock, encodeLine } from '#dray/block/copy-text.ts'
import type { RejectedRow } from '#dray/database/adapter.ts'
import type { HistoryLayout } from './history-layout.ts'

const NO_KEY = 'no_key'

/** Rows with a NULL in their key, which equals nothing: each load would take them for new. By their place. */
export async function keylessRows(layout: HistoryLayout, open: OpenBlocks): Promise<Map<number, RejectedRow>> {
  const keyless = new Map<number, RejectedRow>()
  if (!layout.by.some(({ field }) => field.settings.isNullable)) return keyless
  let row = 0
  for await (const block of open()) {
    for (const texts of decodeBlock(block)) {
      const missing = layout.keyTexts(texts).indexOf(null)
      if (missing >= 0) {
        const column = layout.by[missing]?.column ?? null
        const message = `the key column "${column}" is NULL, so no version can be found again; fill it in the transform, or filter such rows out`
        keyless.set(row, { row, line: encodeLine(texts), code: NO_KEY, column, message })
      }
      row += 1
    }
  }
  return keyless
}
