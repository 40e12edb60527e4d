import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { OpenBlocks } from '#dray/block/block.ts'
import { decodeBlock, encodeLine } from '#dray/block/copy-text.ts'
import type { RejectedRow } from '#dray/database/adapter.ts'
import type { Reason } from '#dray/database/merge/spellings.ts'
import type { HistoryLayout } from './history-layout.ts'

/** Why a row with a NULL in its key is refused. */
export function noKey(column: string, consequence: string): Reason & { readonly column: string } {
  const message = `the key column "${column}" is NULL, so ${consequence}; fill it in the transform, or filter such rows out`
  return { code: 'no_key', column, message }
}

/** Rows with a NULL in their key, which equals nothing: each load would take them for new. By their place. */
export async function keylessRows(layout: HistoryLayout, open: OpenBlocks): Promise<Map<number, RejectedRow>> {
  const keyless = new Map<number, RejectedRow>()
  if (!layout.by.some(({ field }) => field.settings.isNullable)) return keyless
  let row = 0
  for await (const block of open()) {
    for (const texts of decodeBlock(block)) {
      const missing = layout.keyTexts(texts).indexOf(null)
      if (missing >= 0) {
        const { column } = layout.by[missing] as ColumnDefinition
        keyless.set(row, { row, line: encodeLine(texts), ...noKey(column, 'no version can be found again') })
      }
      row += 1
    }
  }
  return keyless
}
