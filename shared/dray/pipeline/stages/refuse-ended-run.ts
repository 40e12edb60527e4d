import { TerminalError } from '#dray/errors.ts'
import type { Services } from '../services.ts'

/**
 * A Plan, or what finds the tables of a replica, that is delivered after its run has ended takes a lease that nobody
 * would give back. Finish ends the run first and gives leases back then, so one of the two sees the other.
 */
export async function refuseEndedRun(
  pipeline: string,
  runId: string,
  { state }: Pick<Services, 'state'>,
): Promise<void> {
  const status = (await state.runRecord(runId))?.status
  if (status === undefined || status === 'running') return
  const reason = `run ${runId} has ended (${status}) and this Plan came late, so nothing was planned`
  const step = await state.stepRecord(runId, pipeline)
  if (step?.status === 'running') await state.putStep({ ...step, status: 'failed', error: reason })
  await state.releaseLease(pipeline, runId)
  throw new TerminalError(`${pipeline}: ${reason}; start another run if there is something to load`)
}
