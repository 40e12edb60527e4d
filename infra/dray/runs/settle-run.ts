import { tellLineage } from 'dray/internal/lambda/tell-lineage.ts'
import type { RunRecord, StateStore } from 'dray/internal/state/state-store.ts'
import { type Ending, settleRun as settle } from 'dray/internal/triggers/settle-run.ts'
import { isWorkedOn, pidHere } from './run-lock.ts'

/** The command has nothing to say of lineage. */
const log = { info() {}, warn() {} }

/** Ends a run that nobody works on any more, whichever pipelines it holds. */
export async function settleRun(
  state: StateStore,
  runId: string,
  { reason, wasStopped = false }: Pick<Ending, 'wasStopped'> & { readonly reason: string },
  now: number = Date.now(),
): Promise<void> {
  const pipelines = (await state.pipelines()).map(({ pipeline }) => pipeline)
  const wasOpen = (await state.run(runId))?.run.status === 'running'
  await settle({ id: runId, reason, wasStopped, now, pipelines }, state)
  const detail = wasOpen ? await state.run(runId) : null
  if (detail !== null) await tellLineage({ log }, (lineage) => lineage.stopped(detail, { now: () => now, log }))
}

/**
 * Settles runs of this machine whose process is gone: killed, or lost with the power; and gives back the leases of runs
 * that have ended, which a Plan that came late and died has left. Returns the ids of the former.
 */
export async function settleDeadRuns(
  state: StateStore,
  isAlive: (run: RunRecord) => boolean = isWorkedOn,
): Promise<string[]> {
  const running = await state.runs({ status: 'running', limit: 100 })
  const leases = await heldLeases(state)
  const holders = leases.flatMap(({ holder }) => (holder?.status === 'running' ? [holder] : []))
  const candidates = new Map([...running, ...holders].map((run) => [run.id, run]))
  const dead = [...candidates.values()].filter((run) => pidHere(run) !== null && !isAlive(run))
  for (const run of dead) {
    await settleRun(state, run.id, {
      reason: `The process of this run (${run.runner}) ended before the run did; run it again, or resume it with \`npx dray resume ${run.id}\`.`,
    })
  }
  // A run is recorded before it takes a lease, so that the holder of one has a record as long as it can work.
  for (const { pipeline, leaseOwner, holder } of leases) {
    if (holder !== null && holder.status !== 'running') await state.releaseLease(pipeline, leaseOwner)
  }
  return dead.map(({ id }) => id)
}

interface HeldLease {
  readonly pipeline: string
  readonly leaseOwner: string
  readonly holder: RunRecord | null
}

/** Leases by their own items: lists of runs and of pipelines are ahead of these where a disk was full in between. */
async function heldLeases(state: StateStore): Promise<readonly HeldLease[]> {
  const pipelines = await Promise.all((await state.pipelines()).map(({ pipeline }) => state.pipeline(pipeline)))
  const held = pipelines.flatMap((one) => (one?.leaseOwner ? [{ ...one, leaseOwner: one.leaseOwner }] : []))
  const owners = [...new Set(held.map(({ leaseOwner }) => leaseOwner))]
  const holders = new Map(
    await Promise.all(owners.map(async (id) => [id, (await state.run(id))?.run ?? null] as const)),
  )
  return held.map(({ pipeline, leaseOwner }) => ({ pipeline, leaseOwner, holder: holders.get(leaseOwner) ?? null }))
}
