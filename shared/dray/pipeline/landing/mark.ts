import type { Database } from '#dray/database/database.ts'
import { wholeName } from '#dray/database/whole-name.ts'
import type { Loading } from '#dray/pipeline/declare/loading.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Plan } from '#dray/pipeline/plan/staged-plan.ts'
import { changeFence, checkFence, ledgerOf, lockFence } from './ledger.ts'

/**
 * In the mark of a fence from before fences had marks. A mark is the end of the last window that has landed in the
 * target, the cursor's text; NULL where none has.
 */
export const OF_BEFORE = 'last_run'
/** In place of the run, once `last_run` was set by hand: a Commit that comes late then leaves the mark alone. */
const BY_HAND = 'set by hand'

/** What a pipeline's state says of its last Commit. */
interface Committed {
  readonly lastRun: string | null
  readonly commitEpoch: number
}

/** The mark, made out: a fence of before takes it from `last_run`, unless the target is older than the last Commit. */
export function markOf(
  fence: { readonly mark: string | null; readonly epoch: bigint },
  known: Committed,
): string | null {
  if (fence.mark !== OF_BEFORE) return fence.mark
  return fence.epoch >= BigInt(known.commitEpoch) ? known.lastRun : null
}

/** Whether the rows that a fence speaks of have landed in another table of the target. */
export function isOfAnother({ writtenTable }: { readonly writtenTable: string | null }, table: string): boolean {
  return writtenTable !== null && writtenTable !== table
}

/** The mark of a target that no run has the lease of; null where nothing of the pipeline has landed there. */
export async function readMark(
  { name: pipeline, load }: Pick<Pipeline, 'name'> & { readonly load: Pick<Loading, 'target'> },
  known: Committed,
): Promise<string | null> {
  const { database, definition } = load.target
  const { Fence } = ledgerOf(database)
  const live = await database.withConnection((connection) => connection.describe(Fence.definition.table))
  const columns = live?.columns.map(({ name }) => name) ?? []
  if (!columns.includes('epoch')) return null
  // Before the migration: every fence is one of before.
  if (!columns.includes('mark'))
    return (await Fence.where({ pipeline }).select('pipeline').exists()) ? known.lastRun : null
  const fence = await Fence.findBy({ pipeline })
  if (fence === null || isOfAnother(fence, await wholeName(database, definition.table))) return null
  return markOf(fence, known)
}

/**
 * At Commit, before `last_run` moves: the rows of the window are in the target. What is lost after that is read again,
 * or seen to be there.
 */
export async function markLanded(
  { name, load }: Pipeline,
  { run, epoch }: { readonly run: { readonly id: string }; readonly epoch: number },
  { advances, window }: Pick<Plan, 'advances' | 'window'>,
): Promise<void> {
  if (!advances || window === null) return
  const { database } = load.target
  await database.transaction(async () => {
    const fence = await checkFence(database, name, epoch, 'update')
    if (fence.runId === run.id) await changeFence(database, name, { mark: window.hi })
  })
}

/**
 * Sets the mark by hand, for the table that is written now, in the transaction that is open; `epoch` is for a target
 * that has no fence yet.
 */
export async function setMark(database: Database, pipeline: string, mark: string | null, epoch: number): Promise<void> {
  const { Fence } = ledgerOf(database)
  const isThere = (await lockFence(database, pipeline, 'update')) !== null
  const fence = isThere ? await Fence.findBy({ pipeline }) : new Fence({ pipeline, epoch: BigInt(epoch) })
  await fence?.assign({ mark, runId: BY_HAND, writtenTable: null }).saveOrFail()
}
