import { readJsonLines, writeJsonLines } from '#dray/staging/documents.ts'
import { quarantineLogPrefix } from '#dray/staging/keys.ts'
import type { StagingStore } from '#dray/staging/staging-store.ts'

/** What has become of a quarantined row. Records are only ever added, next to the rows. */
export interface QuarantineRecord {
  /** The row's id. */
  readonly id: string
  readonly action: 'replayed' | 'discarded'
  /** Why, as a sentence. */
  readonly reason: string
  /** The run that replayed it, or who discarded it. */
  readonly by: string
  /** ISO 8601. */
  readonly at: string
}

export async function appendToLog(
  staging: StagingStore,
  pipeline: string,
  records: AsyncIterable<QuarantineRecord> | Iterable<QuarantineRecord>,
): Promise<number> {
  return (await writeJsonLines(staging, quarantineLogPrefix(pipeline), records)).rows
}

/** The last record of each row that has one. */
export async function readLog(staging: StagingStore, pipeline: string): Promise<Map<string, QuarantineRecord>> {
  const records = new Map<string, QuarantineRecord>()
  for (const key of await staging.list(quarantineLogPrefix(pipeline))) {
    for await (const record of readJsonLines<QuarantineRecord>(staging, key)) {
      const known = records.get(record.id)
      if (known === undefined || known.at <= record.at) records.set(record.id, record)
    }
  }
  return records
}
