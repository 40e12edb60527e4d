import { DataQualityError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { type CommitInput, planningRun } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Plan } from '#dray/pipeline/plan/staged-plan.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import type { Services } from '../services.ts'
import { type Closing, closedBefore } from './closing.ts'
import { type Deletion, deleteGone, deleteTold, NOTHING_DELETED, type PresentKeys } from './delete-gone.ts'
import { foreignKeysTo } from './foreign-keys.ts'
import { landNewest } from './land-newest.ts'
import { checkFence, type LandedRun, sumOfLedger } from './ledger.ts'
import { quarantineRefused } from './refused-rows.ts'
import { prepareReplacement, swapIn } from './replacement.ts'
import { SecondTry } from './second-try.ts'
import { findSharedKeys } from './shared-keys.ts'
import { stageSourceKeys } from './source-keys.ts'
import { ToldKeys } from './told-keys.ts'

/**
 * What is asked of a plan here. One that does not advance is of some rows only: it leaves what it does not read alone.
 */
type PlannedRun = Pick<Plan, 'runId' | 'advances' | 'schema' | 'triesAgain' | 'partitions'>

/** At Plan, behind the fence: makes the table in which a replace of the whole table gathers its rows. */
export async function prepareTarget(
  pipeline: Pipeline,
  run: Pick<PlannedRun, 'runId' | 'advances'>,
  epoch: number,
): Promise<void> {
  if (run.advances && pipeline.load.kind === 'replace') await prepareReplacement(pipeline, { runId: run.runId, epoch })
}

/** What looks at a run before its Commit. When it throws, what can be undone of it is. */
export interface Inspection {
  /** What the run has come to, by the ledger. */
  check(landed: LandedRun): void
  /** The target, when all has landed; that of a replace before its rows are the table's for others. */
  examine(landed: LandedRun): Promise<void>
}

/** What a run has come to in its target. */
interface ClosedRun extends Deletion {
  readonly landed: LandedRun
}

/**
 * At Commit, before `last_run` moves: deletes what is gone, tries refused rows once more, and swaps a replacement in.
 * When `check` of the inspection throws, nothing of this is kept, and the refused rows are quarantined.
 */
export async function closeTarget(
  pipeline: Pipeline,
  input: CommitInput,
  { planned, landed }: { readonly planned: PlannedRun; readonly landed: LandedRun },
  inspection: Inspection,
  services: Services,
): Promise<ClosedRun> {
  const closed = await deleteAndTryAgain(pipeline, input, { planned, landed }, inspection.check, services)
  if (planned.advances && pipeline.load.kind === 'replace') {
    const { schema } = planned
    return { ...closed, landed: await swapIn({ pipeline, input, schema, landed: closed.landed, inspection, services }) }
  }
  await inspection.examine(closed.landed)
  return closed
}

async function deleteAndTryAgain(
  pipeline: Pipeline,
  input: CommitInput,
  { planned, landed }: { readonly planned: PlannedRun; readonly landed: LandedRun },
  check: (landed: LandedRun) => void,
  services: Services,
): Promise<ClosedRun> {
  const { database } = pipeline.load.target
  const { advances, schema } = planned
  const isReplay = planned.partitions.some(({ kept }) => kept !== undefined)
  const { deletes: option } = pipeline
  const deletes = advances && option.kind !== 'ignore' && option.saidBy === 'absence'
  const isOwed = (known: LandedRun) => planned.triesAgain === true && known.refused.length > 0 && !known.isTriedAgain
  const run = { runId: planningRun(input), epoch: input.epoch, at: startOf(input.run) }
  const closes = deletes || pipeline.load.kind === 'replace'
  const before = closes ? await closedBefore(database, pipeline.name, run.runId) : null
  // With the second try everything is settled that it met: what it has landed is refused no more, and may be newer.
  const isSettled = landed.isTriedAgain || isReplaced(pipeline, before)
  const shared = isSettled ? null : await findSharedKeys({ pipeline, input, landed, services })
  const newest = shared?.newest ?? null
  const isTried = !isOwed(landed) || isReplaced(pipeline, before)
  const told = landed.told.length === 0 ? null : new ToldKeys(pipeline, landed, schema, services)
  if (newest === null && isTried && told === null && (!deletes || before !== null)) {
    check(landed)
    return { deleted: before?.deleted ?? 0, notes: before?.notes ?? [], landed }
  }
  const source = deletes ? await stageSourceKeys(pipeline, run.runId, services) : null
  const again = { pipeline, input, planned, refused: landed.refused, shared, services }
  try {
    return await database.transaction(async () => {
      await checkFence(database, pipeline.name, input.epoch, 'update')
      // Another delivery of this Commit may have come first.
      const isClosed = closes && isReplaced(pipeline, await closedBefore(database, pipeline.name, run.runId))
      const known = await sumOfLedger(database, pipeline.name, run.runId)
      if (newest !== null && !isClosed && !known.isTriedAgain)
        await landNewest(pipeline, newest, { isWholeRun: advances, isReplay, at: run.at, schema }, services)
      const tries = isOwed(known) && !isClosed ? new SecondTry(again) : null
      const present = source === null ? null : { source, loaded: landed.loadedKeys }
      const gone = { told, present, loaded: landed.loadedKeys, tries }
      const deletion = await deleteBetween(pipeline, run, gone, services)
      if (tries === null) {
        check(known)
        return { ...deletion, landed: known }
      }
      await tries.runToTheEnd()
      const { landed: sums, left } = await tries.enter(known)
      check(sums)
      await quarantineRefused(again, left)
      return { ...deletion, landed: sums }
    })
  } catch (error) {
    if (isOwed(landed) && error instanceof DataQualityError) await quarantineRefused(again, null)
    throw error
  }
}

/** What is to be deleted: by the rows themselves, and by the keys that are left; null where nothing is. */
interface Gone {
  readonly told: ToldKeys | null
  readonly present: PresentKeys | null
  /** The keys that the run has loaded. */
  readonly loaded: readonly StagedObject[]
  readonly tries: SecondTry | null
}

/**
 * Deletes what is gone. Where the table refers to itself, refused rows are tried before it, too: what was moved to
 * another row must not refer to the one that is gone any more.
 */
async function deleteBetween(
  pipeline: Pipeline,
  run: Parameters<typeof deleteGone>[1],
  { told, present, loaded, tries }: Gone,
  services: Services,
): Promise<Deletion> {
  if (told === null && present === null) return NOTHING_DELETED
  const { database, definition } = pipeline.load.target
  const foreign = pipeline.deletes.kind === 'hard' ? await foreignKeysTo(database, definition.table) : []
  const refersToItself = foreign.some(({ isOwn }) => isOwn)
  if (refersToItself) await tries?.run()
  const refused = refersToItself && tries !== null ? await tries.keysLeft() : new Set<string>()
  const around = { foreign, refused }
  const first = told === null ? NOTHING_DELETED : await deleteTold(pipeline, run, { told, loaded }, around, services)
  if (present === null) return { deleted: 0, notes: first.notes }
  const { deleted, notes } = await deleteGone(pipeline, run, present, around, services)
  return { deleted, notes: [...first.notes, ...notes] }
}

/** What a replace has gathered is in the table: there is nothing beside it any more to load rows into. */
function isReplaced({ load }: Pipeline, before: Closing | null): boolean {
  return load.kind === 'replace' && before !== null
}
