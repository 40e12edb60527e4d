import { rowCountsBy } from '#dray/messages/row-counts.ts'
import { sumOfSpent } from '#dray/messages/spent.ts'
import type { GatherInput, StepOutcome } from '#dray/messages/stages.ts'
import { readJson } from '#dray/staging/documents.ts'
import { emptyStep, type StepRecord } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { recordEnd } from './outcome.ts'
import type { TablesPlan } from './tables.ts'

/** Tables that are named in the reason of a replica. */
const MOST_NAMED = 5

/**
 * What has become of the tables of a replica: the sums over all of them, and the reasons of those that did not succeed.
 * Gives back the leases that they hold. A second call writes the same.
 */
export async function gather(input: GatherInput, services: Services): Promise<StepOutcome> {
  const { state, staging, signal, now, spent } = services
  const { run, pipeline: replica } = input
  const { startedAt, steps } = await readJson<TablesPlan>(staging, input.plan, { signal })
  const known = new Map((await state.run(run.id))?.steps.map((step) => [step.step, step]))
  const ended: StepRecord[] = []
  for (const step of steps) ended.push(await endOf(run.id, step, known.get(step), services))
  const failed = ended.filter(({ status }) => status !== 'success')
  const ending: StepOutcome = {
    // A table that another run holds is left to that run.
    status: failed.length === 0 ? 'success' : failed.every(({ status }) => status === 'refused') ? 'refused' : 'failed',
    reason: failed.length === 0 ? null : reasonOf(replica, failed, steps.length),
  }
  const own = known.get(replica)
  const sum = (pick: (step: StepRecord) => number) => ended.reduce((total, step) => total + pick(step), 0)
  const endTime = now()
  await state.putStep({
    ...(own ?? emptyStep(run.id, replica)),
    ...rowCountsBy((name) => sum((step) => step[name])),
    ...sumOfSpent([own?.spent, spent?.()]),
    gone: sum(({ gone }) => gone),
    findings: sum(({ findings }) => findings),
    bytes: sum(({ bytes }) => bytes),
    status: ending.status,
    error: ending.reason,
    startTime: startedAt,
    endTime,
    executionTimeSeconds: (endTime - startedAt) / 1000,
    tables: { total: steps.length, failed: failed.length },
  })
  for (const { step } of failed) await state.releaseLease(step, run.id)
  await state.releaseLease(replica, run.id)
  return ending
}

/** One that has written nothing, or not its end, was lost with its execution. */
async function endOf(
  run: string,
  step: string,
  known: StepRecord | undefined,
  services: Services,
): Promise<StepRecord> {
  if (known !== undefined && known.status !== 'running') return known
  const ending = { status: 'failed', reason: 'It did not come to its end.' } as const
  await recordEnd({ id: run }, step, ending, { state: services.state }, known)
  return { ...(known ?? emptyStep(run, step)), status: ending.status, error: ending.reason }
}

function reasonOf(replica: string, failed: readonly StepRecord[], total: number): string {
  const said = failed
    .slice(0, MOST_NAMED)
    .map(({ step, error, status }) => `${step.slice(replica.length + 1)}: ${error ?? status}`)
  const more = failed.length > MOST_NAMED ? `; and ${failed.length - MOST_NAMED} more` : ''
  return `${failed.length} of ${total} tables did not succeed, the others have landed: ${said.join('; ')}${more}`
}
