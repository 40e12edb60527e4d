import { bigint, text, timestamp, varchar } from '#dray/active-record/field-kinds.ts'
import { defineModel } from '#dray/active-record/model.ts'
import type { Database } from '#dray/database/database.ts'
import { DataQualityError, TransientError } from '#dray/errors.ts'

function defineClosings(database: Database) {
  /** One row a run that has written to the target in its Commit, in the transaction that wrote. */
  return class extends defineModel(
    database,
    { table: 'dray_closing', readOnly: false },
    {
      pipeline: varchar(100).primaryKey(),
      runId: varchar(100).primaryKey(),
      epoch: bigint(),
      deleted: bigint(),
      replaced: bigint(),
      closedAt: timestamp().touch(),
      /** What was said of it, as JSON; null where it was nothing. */
      notes: text().nullable(),
    },
  ) {}
}

type Closings = ReturnType<typeof defineClosings>
const known = new Map<Database, Closings>()

function closingsOf(database: Database): Closings {
  const closings = known.get(database) ?? defineClosings(database)
  known.set(database, closings)
  return closings
}

/** What a run's Commit did to the target. */
export interface Closing {
  readonly deleted: number
  readonly replaced: number
  /** What of other rows went along. */
  readonly notes: readonly string[]
}

/** What a former delivery of this Commit did; null when it did nothing yet. */
export async function closedBefore(database: Database, pipeline: string, runId: string): Promise<Closing | null> {
  const found = await closingsOf(database).findBy({ pipeline, runId })
  if (found === null) return null
  const notes = found.notes === null ? [] : (JSON.parse(found.notes) as string[])
  return { deleted: Number(found.deleted), replaced: Number(found.replaced), notes }
}

/** In the transaction of the work: a second delivery finds it, one at the same time is refused. */
export async function recordClosing(
  database: Database,
  run: { readonly pipeline: string; readonly runId: string; readonly epoch: number },
  closing: Closing,
): Promise<void> {
  const Row = closingsOf(database)
  try {
    await new Row({
      pipeline: run.pipeline,
      runId: run.runId,
      epoch: BigInt(run.epoch),
      deleted: BigInt(closing.deleted),
      replaced: BigInt(closing.replaced),
      notes: closing.notes.length === 0 ? null : JSON.stringify(closing.notes),
    }).saveOrFail()
  } catch (error) {
    if (!(error instanceof DataQualityError)) throw error
    throw new TransientError(
      `${run.pipeline}: another delivery of the same Commit has closed run ${run.runId}, so this one is rolled back; tried again, it finds the work done`,
      { cause: error },
    )
  }
}
