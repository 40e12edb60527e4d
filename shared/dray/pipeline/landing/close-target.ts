import { DataQualityError } from '#dray/errors.ts'
import { type CommitInput, planningRun } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Plan } from '#dray/pipeline/plan/staged-plan.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import type { Services } from '../services.ts'
import { type Closing, closedBefore } from './closing.ts'
import { type Deletion, deleteGone, type PresentKeys } from './delete-gone.ts'
import { foreignKeysTo } from './foreign-keys.ts'
import { landNewest } from './land-newest.ts'
import { checkFence, type LandedRun, sumOfLedger } from './ledger.ts'
import { quarantineRefused } from './refused-rows.ts'
import { prepareReplacement, swapIn } from './replacement.ts'
import { SecondTry } from './second-try.ts'
import { findSharedKeys } from './shared-keys.ts'
import { stageSourceKeys } from './source-keys.ts'

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

/** What a run has come to in its target. */
interface ClosedRun extends Deletion {
  readonly landed: LandedRun
}

/**
 * At Commit, before `last_run` moves: deletes what is gone, tries refused rows once more, and swaps a replacement in.
 * `check` looks at what the run has come to; when it throws, nothing of this is kept, and the refused rows are
 * quarantined.
 */
export async function closeTarget(
  pipeline: Pipeline,
  input: CommitInput,
  { planned, landed }: { readonly planned: PlannedRun; readonly landed: LandedRun },
  check: (landed: LandedRun) => void,
  services: Services,
): Promise<ClosedRun> {
  const closed = await deleteAndTryAgain(pipeline, input, { planned, landed }, check, services)
  if (!planned.advances || pipeline.load.kind !== 'replace') return closed
  const { schema } = planned
  return { ...closed, landed: await swapIn({ pipeline, input, schema, landed: closed.landed, check, services }) }
}

async function deleteAndTryAgain(
  pipeline: Pipeline,
  input: CommitInput,
  { planned, landed }: { readonly planned: PlannedRun; readonly landed: LandedRun },
  check: (landed: LandedRun) => void,
  services: Services,
): Promise<ClosedRun> {
  const { database } = pipeline.load.target
  const { advances } = planned
  const deletes = advances && pipeline.deletes.kind !== 'ignore'
  const isOwed = (known: LandedRun) => planned.triesAgain === true && known.refused.length > 0 && !known.isTriedAgain
  const run = { runId: planningRun(input), epoch: input.epoch, at: startOf(input.run) }
  const closes = deletes || pipeline.load.kind === 'replace'
  const before = closes ? await closedBefore(database, pipeline.name, run.runId) : null
  // With the second try everything is settled that it met: what it has landed is refused no more, and may be newer.
  const isSettled = landed.isTriedAgain || isReplaced(pipeline, before)
  const shared = isSettled ? null : await findSharedKeys({ pipeline, input, landed, services })
  const newest = shared?.newest ?? null
  const isTried = !isOwed(landed) || isReplaced(pipeline, before)
  if (newest === null && isTried && (!deletes || before !== null)) {
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
        await landNewest(pipeline, newest, { isWholeRun: advances, at: run.at, schema: planned.schema }, services)
      const tries = isOwed(known) && !isClosed ? new SecondTry(again) : null
      const present = source === null ? null : { source, loaded: landed.loadedKeys }
      const deletion =
        present === null ? NOTHING_DELETED : await deleteBetween(pipeline, run, { present, tries }, services)
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

const NOTHING_DELETED: Deletion = { deleted: 0, notes: [] }

/**
 * Deletes what is gone. Where the table refers to itself, refused rows are tried before it, too: what was moved to
 * another row must not refer to the one that is gone any more.
 */
async function deleteBetween(
  pipeline: Pipeline,
  run: Parameters<typeof deleteGone>[1],
  { present, tries }: { readonly present: PresentKeys; readonly tries: SecondTry | null },
  services: Services,
): Promise<Deletion> {
  const { database, definition } = pipeline.load.target
  const foreign = pipeline.deletes.kind === 'hard' ? await foreignKeysTo(database, definition.table) : []
  const refersToItself = foreign.some(({ isOwn }) => isOwn)
  if (refersToItself) await tries?.run()
  const refused = refersToItself && tries !== null ? await tries.keysLeft() : new Set<string>()
  return deleteGone(pipeline, run, present, { foreign, refused }, services)
}

/** What a replace has gathered is in the table: there is nothing beside it any more to load rows into. */
function isReplaced({ load }: Pipeline, before: Closing | null): boolean {
  return load.kind === 'replace' && before !== null
}
