import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { ledgerOf } from '#dray/pipeline/landing/ledger.ts'
import { loadsTwice } from '#dray/pipeline/plan/rows-again.ts'
import { readJsonLines } from '#dray/staging/documents.ts'
import type { Services } from '../services.ts'
import type { KeptRow } from './kept-rows.ts'
import type { QuarantineRecord } from './log.ts'

/** A record of what a replay has sent, before it is entered. */
export interface SentRecord extends QuarantineRecord {
  /** The partition of the replay that carries the row; null for a row that needed none. */
  readonly partition: number | null
}

/**
 * The rows, by their ids, that a replay which never came to its end has loaded all the same: the ledger says so, in the
 * transaction that loaded them. Called behind the fence: nothing more of that replay can land.
 */
export async function landedBefore(
  pipeline: Pipeline,
  chosen: readonly KeptRow[],
  services: Services,
): Promise<Map<string, SentRecord>> {
  const landed = new Map<string, SentRecord>()
  if (chosen.length === 0) return landed
  const open = new Set(chosen.map(({ id }) => id))
  for (const [staged, partitions] of await landedReplays(pipeline)) {
    for (const record of await sentRecords(pipeline, JSON.parse(staged) as StagedObject, services)) {
      if (!open.has(record.id) || record.partition === null || !partitions.has(record.partition)) continue
      const reason = `${record.reason}, by a run that ended before it could say so`
      landed.set(record.id, { ...record, reason, partition: null })
    }
  }
  return landed
}

/** The partitions of replays that have landed, by the staged records of what they sent. */
async function landedReplays(pipeline: Pipeline): Promise<Map<string, Set<number>>> {
  const { Entry } = ledgerOf(pipeline.load.target.database)
  const replays = new Map<string, Set<number>>()
  for (const entry of await Entry.where(['pipeline = ? and replayed is not null', pipeline.name]).toArray()) {
    const staged = entry.replayed as string
    replays.set(staged, (replays.get(staged) ?? new Set()).add(Number(entry.partitionNumber)))
  }
  return replays
}

/**
 * What a replay has sent; nothing of it where the records have expired (the rows have been in the quarantine for
 * longer, so that they have, too), or where they are damaged and a row that is sent twice is there once all the same.
 */
async function sentRecords(
  pipeline: Pipeline,
  staged: StagedObject,
  { staging }: Services,
): Promise<readonly SentRecord[]> {
  try {
    return await Array.fromAsync(readJsonLines<SentRecord>(staging, staged))
  } catch (error) {
    const { name } = error as Error
    if (name === 'StagedObjectMissing' || (name === 'StagedObjectDamaged' && !loadsTwice(pipeline))) return []
    throw error
  }
}
