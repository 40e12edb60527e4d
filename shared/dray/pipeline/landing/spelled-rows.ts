import type { OpenBlocks } from '#dray/block/block.ts'
import { encodeLine } from '#dray/block/copy-text.ts'
import type { RejectedRow } from '#dray/database/adapter.ts'
import { otherSpellings, spelledTwice } from '#dray/database/merge/spellings.ts'
import { rowsOf } from './history-decisions.ts'
import type { HistoryLayout } from './history-layout.ts'

/** Rows whose key another row of the load writes otherwise, by their place: neither is a newer state of the other. */
export async function spelledRows(layout: HistoryLayout, open: OpenBlocks): Promise<Map<number, RejectedRow>> {
  const spelled = new Map<number, RejectedRow>()
  const groups = await groupsOf(layout, open)
  if (groups.size === 0) return spelled
  const target = {
    table: layout.pipeline.load.target.definition.table,
    key: layout.by.map(({ column }) => column),
    columns: layout.columns.map(({ column }) => column),
  }
  const others = await otherSpellings(open, target, groups)
  let row = 0
  for await (const texts of rowsOf(open)) {
    const other = others.get(row)
    if (other !== undefined) spelled.set(row, { row, line: encodeLine(texts), ...spelledTwice(target, other) })
    row += 1
  }
  return spelled
}

/** The places of rows that share a key which is written in several ways, each with the number of its key. */
async function groupsOf(layout: HistoryLayout, open: OpenBlocks): Promise<Map<number, number>> {
  const written = new Map<string, string>()
  const numbers = new Map<string, number>()
  const textsOf = (row: Parameters<HistoryLayout['keyTexts']>[0]) => JSON.stringify(layout.keyTexts(row))
  for await (const row of rowsOf(open)) {
    const [key, texts] = [layout.key(row), textsOf(row)]
    if ((written.get(key) ?? texts) !== texts) numbers.set(key, numbers.get(key) ?? numbers.size)
    else written.set(key, texts)
  }
  const groups = new Map<number, number>()
  if (numbers.size === 0) return groups
  let place = 0
  for await (const row of rowsOf(open)) {
    const number = numbers.get(layout.key(row))
    if (number !== undefined) groups.set(place, number)
    place += 1
  }
  return groups
}
