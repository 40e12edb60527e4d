import { sql } from 'kysely'
import { readColumn, tableName } from '#dray/active-record/sql.ts'
import type { Text } from '#dray/block/block.ts'
import { DataQualityError } from '#dray/errors.ts'
import { bytesOfKey, hasKey } from '#dray/pipeline/texts/key-texts.ts'
import type { HistoryLayout } from './history-layout.ts'
import { queried } from './queried.ts'

/**
 * The versions of these rows, by their keys and starts. A row whose key no value of its column can be has none, and
 * does not keep the others from being found: it is refused where it is written.
 */
export async function versionsAt(
  layout: HistoryLayout,
  rows: readonly (readonly Text[])[],
): Promise<Map<string, readonly Text[]>> {
  try {
    return await layout.database.transaction(() => versionsOfAll(layout, rows))
  } catch (error) {
    if (!(error instanceof DataQualityError)) throw error
    if (rows.length < 2) return new Map()
    const half = Math.ceil(rows.length / 2)
    const first = await versionsAt(layout, rows.slice(0, half))
    return new Map([...first, ...(await versionsAt(layout, rows.slice(half)))])
  }
}

async function versionsOfAll(layout: HistoryLayout, rows: readonly (readonly Text[])[]) {
  const { target } = layout.pipeline.load
  const adapter = await layout.database.adapter()
  const columns = [...layout.by, layout.column(layout.from)]
  const live = await bytesOfKey(target, columns)
  const keys = rows.map((row) => [...layout.keyTexts(row), row[layout.from] ?? null])
  const found = await queried(
    layout.database,
    sql`select ${sql.join(layout.columns.map((column) => readColumn(adapter, column)))} from ${tableName(target.definition)}
      where ${hasKey(adapter, columns, keys, live)}`,
  )
  return new Map(found.map((row) => [layout.versionKey(row), row]))
}
