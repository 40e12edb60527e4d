import { isQuarantinedRow, type QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { quarantineLogPrefix, quarantinePrefix } from '#dray/staging/keys.ts'
import type { StagingStore } from '#dray/staging/staging-store.ts'
import { DamagedObjects } from './damaged-objects.ts'
import { withIds } from './kept-rows.ts'
import { isRecord, readLog } from './log.ts'
import { type LinesOf, wholeLines } from './whole-lines.ts'

/** What may go from a pipeline's quarantine: objects of which every row is closed, and the records that say so. */
export interface Prunable {
  /** In the order in which they may be removed. */
  readonly keys: readonly string[]
  /** How many rows go with them. */
  readonly rows: number
}

/**
 * What was closed before a moment (ISO 8601), by what the log says: an open row stays, whatever its age, and so does
 * each row beside it in the same object. Whatever is damaged stays, too.
 */
export async function prunable(staging: StagingStore, pipeline: string, before: string): Promise<Prunable> {
  const damaged = new DamagedObjects()
  const log = await readLog(staging, pipeline, damaged)
  const isDue = (id: string) => (log.get(id)?.at ?? before) < before
  const found = { keys: [] as string[], rows: 0, kept: new Set<string>() }
  const objects = await staging.list(quarantinePrefix(null, pipeline))
  for await (const object of wholeLines(staging, objects, { kind: 'rows', isLine: isQuarantinedRow, damaged })) {
    const ids = await idsOf(pipeline, object)
    if (ids.every(isDue)) {
      found.keys.push(object.key)
      found.rows += ids.length
    } else for (const id of ids) found.kept.add(id)
  }
  // A record may speak of a row that cannot be read.
  const records = damaged.notes.length > 0 ? [] : await prunableRecords(staging, pipeline, { before, kept: found.kept })
  return { keys: [...found.keys, ...records], rows: found.rows }
}

async function idsOf(pipeline: string, object: LinesOf<QuarantinedRow>): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of withIds(pipeline, object)) ids.push(id)
  return ids
}

async function prunableRecords(
  staging: StagingStore,
  pipeline: string,
  { before, kept }: { readonly before: string; readonly kept: ReadonlySet<string> },
): Promise<string[]> {
  const keys: string[] = []
  const logs = await staging.list(quarantineLogPrefix(pipeline))
  for await (const { key, lines } of wholeLines(staging, logs, { kind: 'log', isLine: isRecord, damaged: null })) {
    let isNeeded = false
    for await (const { id, at } of lines) isNeeded ||= at >= before || kept.has(id)
    if (!isNeeded) keys.push(key)
  }
  return keys
}
