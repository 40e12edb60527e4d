import { sql } from 'kysely'
import { readColumn } from '#dray/active-record/sql.ts'
import type { CopyBlock, Text } from '#dray/block/block.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import { compile } from '#dray/database/statement.ts'
import type { HistoryLayout } from './history-layout.ts'

/** A row, and its place among those that are loaded. */
export interface PlacedRow {
  readonly place: number
  readonly row: readonly Text[]
}

/** The rows as the target's columns would store them, by their places; without those that it would refuse or cut. */
export async function storedRows(
  { database, columns, pipeline }: HistoryLayout,
  rows: readonly PlacedRow[],
): Promise<Map<number, readonly Text[]>> {
  if (rows.length === 0) return new Map()
  const { table } = pipeline.load.target.definition
  return database.withConnection(async (connection, adapter) => {
    const open = () => blocksOf(rows)
    const held = await connection.holdRows({ table, columns: columns.map(({ column }) => column) }, open)
    const read = columns.map((column) => readColumn(adapter, column))
    const { sql: text, parameters } = compile(
      adapter,
      sql`select ${sql.raw(held.place)}, ${sql.join(read)} from ${sql.raw(held.table)}`,
    )
    const found = (await connection.query(text, parameters)).rows
    await held.release()
    return new Map(found.map(([place, ...texts]) => [rows[held.rowOf(place as string)]?.place as number, texts]))
  })
}

function* blocksOf(rows: readonly PlacedRow[]): Generator<CopyBlock> {
  const encoder = new BlockEncoder()
  for (const { row } of rows) {
    const full = encoder.push(row)
    if (full !== null) yield full
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}
