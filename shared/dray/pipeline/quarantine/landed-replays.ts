import { ConfigurationError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { ledgerOf, SECOND_TRY } from '#dray/pipeline/landing/ledger.ts'
import { loadsTwice } from '#dray/pipeline/plan/rows-again.ts'
import type { QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { readJsonLines } from '#dray/staging/documents.ts'
import type { Services } from '../services.ts'
import { DamagedObjects } from './damaged-objects.ts'
import { type KeptRow, quarantinedRows } from './kept-rows.ts'
import { type QuarantineRecord, readLog } from './log.ts'
import { identityOf } from './row-key.ts'

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
  const open = new Map(chosen.map((row) => [row.id, identityOf(pipeline, row)]))
  for (const [staged, { run, partitions }] of await landedReplays(pipeline)) {
    const records = await sentRecords(pipeline, JSON.parse(staged) as StagedObject, services)
    const refused = await refusedRows(pipeline, { run, partitions }, services)
    if (records === null && named === null) await refuseUnknown(pipeline, run, services)
    for (const record of records ?? []) {
      if (!open.has(record.id) || record.partition === null || !partitions.has(record.partition)) continue
      if (refused.has(open.get(record.id) as string)) continue
      const reason = `${record.reason}${LATE}`
      landed.set(record.id, { ...record, reason, partition: null })
    }
  }
  return landed
}

interface Replay {
  readonly run: string
  /** Those that have landed, with the rows that the target has refused, as they are staged. */
  readonly partitions: ReadonlyMap<number, string | null>
}

/** The partitions of replays that have landed, by the staged records of what they sent. */
async function landedReplays(pipeline: Pipeline) {
  const { Entry } = ledgerOf(pipeline.load.target.database)
  const replays = new Map<string, Replay & { readonly partitions: Map<number, string | null> }>()
  for (const entry of await Entry.where(['pipeline = ? and replayed is not null', pipeline.name]).toArray()) {
    const staged = entry.replayed as string
    const replay = replays.get(staged) ?? { run: entry.runId, partitions: new Map() }
    replays.set(staged, replay)
    replay.partitions.set(Number(entry.partitionNumber), entry.refused)
  }
  return replays
}

/**
 * Rows of its partitions that the target has refused and that are in no quarantine, since Commit, which tries them
 * again or puts them there, has not come.
 */
async function refusedRows(
  pipeline: Pipeline,
  { run, partitions }: Replay,
  { staging }: Services,
): Promise<ReadonlySet<string>> {
  const refused = new Set<string>()
  const objects = [...partitions.values()].filter((staged) => staged !== null)
  if (objects.length === 0) return refused
  const { Entry } = ledgerOf(pipeline.load.target.database)
  const tried = await Entry.findBy({ pipeline: pipeline.name, runId: run, partitionNumber: BigInt(SECOND_TRY) })
  if (tried !== null) return refused
  for (const staged of objects) {
    for await (const row of readJsonLines<QuarantinedRow>(staging, JSON.parse(staged) as StagedObject))
      refused.add(identityOf(pipeline, row))
  }
  for await (const row of quarantinedRows(staging, pipeline.name, { run })) refused.delete(identityOf(pipeline, row))
  return refused
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
