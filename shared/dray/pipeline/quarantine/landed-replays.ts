import { ConfigurationError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { ledgerOf } from '#dray/pipeline/landing/ledger.ts'
import { loadsTwice } from '#dray/pipeline/plan/rows-again.ts'
import { readJsonLines } from '#dray/staging/documents.ts'
import type { Services } from '../services.ts'
import { DamagedObjects } from './damaged-objects.ts'
import type { KeptRow } from './kept-rows.ts'
import { type QuarantineRecord, readLog } from './log.ts'

const LATE = ', by a run that ended before it could say so'

/** A record of what a replay has sent, before it is entered. */
export interface SentRecord extends QuarantineRecord {
  /** The partition of the replay that carries the row; null for a row that needed none. */
  readonly partition: number | null
}

/**
 * The rows, by their ids, that a replay which never came to its end has loaded all the same: the ledger says so, in the
 * transaction that loaded them. Called behind the fence: nothing more of that replay can land. `named` are the ids that
 * were asked for, if any.
 */
export async function landedBefore(
  pipeline: Pipeline,
  chosen: readonly KeptRow[],
  named: readonly string[] | null,
  services: Services,
): Promise<Map<string, SentRecord>> {
  const landed = new Map<string, SentRecord>()
  if (chosen.length === 0) return landed
  const open = new Set(chosen.map(({ id }) => id))
  for (const [staged, { run, partitions }] of await landedReplays(pipeline)) {
    const records = await sentRecords(pipeline, JSON.parse(staged) as StagedObject, services)
    if (records === null && named === null) await refuseUnknown(pipeline, run, services)
    for (const record of records ?? []) {
      if (!open.has(record.id) || record.partition === null || !partitions.has(record.partition)) continue
      const reason = `${record.reason}${LATE}`
      landed.set(record.id, { ...record, reason, partition: null })
    }
  }
  return landed
}

/** The partitions of replays that have landed, by the staged records of what they sent. */
async function landedReplays(pipeline: Pipeline) {
  const { Entry } = ledgerOf(pipeline.load.target.database)
  const replays = new Map<string, { readonly run: string; readonly partitions: Set<number> }>()
  for (const entry of await Entry.where(['pipeline = ? and replayed is not null', pipeline.name]).toArray()) {
    const staged = entry.replayed as string
    const replay = replays.get(staged) ?? { run: entry.runId, partitions: new Set() }
    replays.set(staged, replay)
    replay.partitions.add(Number(entry.partitionNumber))
  }
  return replays
}

/**
 * What a replay has sent; nothing of it where the records have expired or are damaged and a row that is sent twice is
 * there once all the same. Null where they have expired and it would be there twice.
 */
async function sentRecords(
  pipeline: Pipeline,
  staged: StagedObject,
  { staging }: Services,
): Promise<readonly SentRecord[] | null> {
  try {
    return await Array.fromAsync(readJsonLines<SentRecord>(staging, staged))
  } catch (error) {
    const { name } = error as Error
    if (name === 'StagedObjectMissing') return loadsTwice(pipeline) ? null : []
    if (name === 'StagedObjectDamaged' && !loadsTwice(pipeline)) return []
    throw error
  }
}

/** A replay that came to its end has entered itself what it sent; of another one nobody knows any more. */
async function refuseUnknown(pipeline: Pipeline, run: string, { staging }: Services): Promise<void> {
  const log = await readLog(staging, pipeline.name, new DamagedObjects())
  if (log.values().some(({ by, action, reason }) => by === run && action === 'replayed' && !reason.endsWith(LATE))) {
    return
  }
  throw new ConfigurationError(
    `${pipeline.name}: what the replay ${run} has sent is not known any more, since its records have expired, and open rows that it has loaded would be in the target twice; nothing was replayed. Look in the target, give up what is there (\`dray quarantine discard ${pipeline.name} --id …\`), and name the rows to send: \`dray quarantine replay ${pipeline.name} --id …\``,
  )
}
