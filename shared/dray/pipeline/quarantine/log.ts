import { writeJsonLines } from '#dray/staging/documents.ts'
import { quarantineLogPrefix } from '#dray/staging/keys.ts'
import type { StagingStore } from '#dray/staging/staging-store.ts'
import type { DamagedObjects } from './damaged-objects.ts'
import { wholeLines } from './whole-lines.ts'

/**
 * What closes a row: a replay sent it, a person gave it up, a run has loaded its key or left it out, a run has
 * quarantined the same key again.
 */
export const CLOSINGS = ['landed', 'replayed', 'superseded', 'discarded'] as const

/** What has become of a quarantined row. Records are only ever added, next to the rows. */
export interface QuarantineRecord {
  /** The row's id. */
  readonly id: string
  readonly action: (typeof CLOSINGS)[number]
  /** Why, as a sentence. */
  readonly reason: string
  /** The run that closed it, or who discarded it. */
  readonly by: string
  /** ISO 8601. */
  readonly at: string
  /** How often usual runs have sent the row, this one included, and which row that is; where one has. */
  readonly tries?: number
  readonly of?: string
}

export function isRecord(line: unknown): line is QuarantineRecord {
  const { id, action, reason, by, at } = Object(line) as Partial<QuarantineRecord>
  const isText = [id, reason, by, at].every((text) => typeof text === 'string')
  return isText && CLOSINGS.includes(action as QuarantineRecord['action'])
}

export async function appendToLog(
  staging: StagingStore,
  pipeline: string,
  records: AsyncIterable<QuarantineRecord> | Iterable<QuarantineRecord>,
): Promise<number> {
  return (await writeJsonLines(staging, quarantineLogPrefix(pipeline), records)).rows
}

/** The last record of each row that has one. */
export async function readLog(
  staging: StagingStore,
  pipeline: string,
  damaged: DamagedObjects | null = null,
): Promise<Map<string, QuarantineRecord>> {
  const records = new Map<string, QuarantineRecord>()
  const texts = new Map<string, string>()
  /** One text for all records that have the same: they may be a million. */
  const shared = (text: string) => {
    const known = texts.get(text)
    if (known === undefined) texts.set(text, text)
    return known ?? text
  }
  const keys = await staging.list(quarantineLogPrefix(pipeline))
  for await (const { lines } of wholeLines(staging, keys, { kind: 'log', isLine: isRecord, damaged })) {
    for await (const record of lines) {
      const known = records.get(record.id)
      if (known !== undefined && known.at > record.at) continue
      const { reason, by, at } = record
      records.set(record.id, { ...record, reason: shared(reason), by: shared(by), at: shared(at) })
    }
  }
  return records
}
