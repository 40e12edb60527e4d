import { sql } from 'kysely'
import { readColumn, tableName } from '#dray/active-record/sql.ts'
import type { Text } from '#dray/block/block.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import { mayBeRespelled } from '#dray/pipeline/rows/taken-over-key.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { bytesOfKey, canonicalKey, hasKey } from '#dray/pipeline/texts/key-texts.ts'
import type { HistoryLayout } from './history-layout.ts'
import { isCurrent } from './open-versions.ts'
import { queried } from './queried.ts'
import { storedKeys } from './stored-keys.ts'

/**
 * The current versions of these keys, by the key as the target writes it. A key that no value of its column can be has
 * none, and does not keep the others from being found: its row is refused where it is written.
 */
export async function currentVersions(
  layout: HistoryLayout,
  keys: readonly (readonly Text[])[],
): Promise<Map<string, Text[]>> {
  try {
    return await layout.database.transaction(() => versionsOfAll(layout, keys))
  } catch (error) {
    if (!(error instanceof DataQualityError)) throw error
    if (keys.length < 2) return new Map()
    const half = Math.ceil(keys.length / 2)
    const first = await currentVersions(layout, keys.slice(0, half))
    return new Map([...first, ...(await currentVersions(layout, keys.slice(half)))])
  }
}

async function versionsOfAll(layout: HistoryLayout, keys: readonly (readonly Text[])[]): Promise<Map<string, Text[]>> {
  const { definition } = layout.pipeline.load.target
  const adapter = await layout.database.adapter()
  const live = await bytesOfKey(layout.pipeline.load.target, layout.by)
  const rows = await queried(
    layout.database,
    sql`select ${sql.join(layout.columns.map((column) => readColumn(adapter, column)))} from ${tableName(definition)}
      where ${isCurrent(adapter, layout.pipeline.load)} and ${hasKey(adapter, layout.by, keys, live)}`,
  )
  const found = new Map<string, Text[]>()
  for (const row of rows) {
    const key = layout.key(row)
    if (found.has(key)) {
      throw new TerminalError(
        `${layout.pipeline.name}: ${definition.database}.${definition.table} has two current versions of ${key}, so it is not known which one to close and nothing was written; give all but one of them a ${layout.fields.validTo}`,
      )
    }
    found.set(key, [...row])
  }
  return found
}

/**
 * The current versions of these rows, by the key as the row writes it: also of what is one key for the target, which
 * holds it in another spelling.
 */
export async function versionsOf(
  layout: HistoryLayout,
  rows: readonly (readonly Text[])[],
): Promise<Map<string, Text[]>> {
  const current = await currentVersions(
    layout,
    rows.map((row) => layout.keyTexts(row)),
  )
  if (current.size === 0) return current
  const missing = rows.filter((row) => !current.has(layout.key(row)))
  const keys = missing.map((row) => layout.keyTexts(row))
  // One of these versions may be that of another row as well, which spells its key otherwise.
  if (missing.length === 0 || !mayBeRespelled(layout.pipeline)) return current
  if ((await currentVersions(layout, keys)).size === 0) return current
  for (const [at, stored] of (await storedKeys(layout.pipeline.load.target, layout.by, keys)).entries()) {
    const version = stored
      .map((key) => current.get(keyOf(canonicalKey(layout.by, key))))
      .find((row) => row !== undefined)
    if (version !== undefined) current.set(layout.key(missing[at] as readonly Text[]), version)
  }
  return current
}
