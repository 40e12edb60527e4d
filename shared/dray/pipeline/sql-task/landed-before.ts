import type { Database } from '#dray/database/database.ts'
import { DataQualityError, TransientError } from '#dray/errors.ts'
import { ledgerOf } from '#dray/pipeline/landing/ledger.ts'
import type { SelectedCounts } from './land-selected.ts'

/** What a run has landed, as its entry in the ledger says it. */
export interface LandedBefore {
  readonly counts: SelectedCounts
  /** Up to where everything that had landed was read. */
  readonly until: string | null
  readonly notes: readonly string[]
}

interface Run {
  readonly pipeline: string
  readonly runId: string
  readonly epoch: number
}

/** What a former delivery of the task has landed; null when there was none. */
export async function landedBefore(database: Database, pipeline: string, runId: string): Promise<LandedBefore | null> {
  const { Entry } = ledgerOf(database)
  const entry = await Entry.findBy({ pipeline, runId, partitionNumber: 0n })
  if (entry === null) return null
  const counts = {
    read: Number(entry.rowsRead),
    inserted: Number(entry.inserted),
    updated: Number(entry.updated),
    unchanged: Number(entry.unchanged),
    deleted: Number(entry.deleted ?? 0n),
  }
  return { counts, ...(JSON.parse(entry.plan ?? '{}') as Pick<LandedBefore, 'until' | 'notes'>) }
}

/** In the transaction of the work: a second delivery finds it, and one at the same time is refused. */
export async function enter(database: Database, run: Run, { counts, until, notes }: LandedBefore): Promise<void> {
  const { Entry } = ledgerOf(database)
  try {
    await new Entry({
      pipeline: run.pipeline,
      runId: run.runId,
      partitionNumber: 0n,
      epoch: BigInt(run.epoch),
      rowsRead: BigInt(counts.read),
      inserted: BigInt(counts.inserted),
      updated: BigInt(counts.updated),
      unchanged: BigInt(counts.unchanged),
      filtered: 0n,
      duplicate: 0n,
      quarantined: 0n,
      deleted: BigInt(counts.deleted),
      leftAlone: 0n,
      findings: 0n,
      bytes: 0n,
      plan: JSON.stringify({ until, notes }),
    }).saveOrFail()
  } catch (error) {
    if (!(error instanceof DataQualityError)) throw error
    throw new TransientError(
      `${run.pipeline}: another delivery of the same task has landed run ${run.runId}, so this one is rolled back; tried again, it finds the work done`,
      { cause: error },
    )
  }
}
