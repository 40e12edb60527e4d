import type { Database } from '#dray/database/database.ts'
import { TransientError } from '#dray/errors.ts'
import type { Lease } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { Fenced, type RaisedFence, raiseFence } from './ledger.ts'
import { markOf } from './mark.ts'

/**
 * Raises the fence. A target whose epoch is ahead of the state's, though this run has the lease, belongs to a state
 * that was lost, or to another one: its epoch is taken over, so that no other run has the one that this run writes by.
 */
export async function raiseOver(
  database: Database,
  lease: Lease,
  { state }: Pick<Services, 'state'>,
): Promise<{ readonly lease: Lease; readonly fence: RaisedFence; readonly note: string | null }> {
  const raise = ({ epoch, owner }: Lease) =>
    raiseFence(database, lease.pipeline, { epoch, runId: owner }, (fence) => markOf(fence, lease))
  try {
    return { lease, fence: await raise(lease), note: null }
  } catch (error) {
    if (!(error instanceof Fenced)) throw error
    const known = await state.pipeline(lease.pipeline)
    if (known?.leaseOwner !== lease.owner) throw error
    if (known.epoch !== lease.epoch) {
      throw new TransientError(
        `${lease.pipeline}: a second delivery of this Plan has taken epoch ${known.epoch} meanwhile, so nothing was planned here; the next try takes that epoch`,
        { cause: error },
      )
    }
    const raised = await state.raiseEpoch(lease, Number(error.current))
    const note = `the target ${database.name} was at epoch ${error.current} and the state at ${lease.epoch}: the state is new, was lost, or is not the only one, so this run has taken epoch ${raised.epoch}`
    return { lease: raised, fence: await raise(raised), note }
  }
}
