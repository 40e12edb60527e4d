import { countsOf } from '#dray/messages/check-result.ts'
import { changesIn } from '#dray/messages/column-notes.ts'
import { sumOfSpent } from '#dray/messages/spent.ts'
import type { FinishInput, FinishOutput, StepOutcome } from '#dray/messages/stages.ts'
import { runCost } from '#dray/pipeline/plan/run-cost.ts'
import { statusOfRun } from '#dray/state/run-status.ts'
import type { Services } from '../services.ts'
import { recordEnd } from './outcome.ts'

/**
 * Closes a run, whatever happened: records each step that did not record itself (a step that recorded its success
 * before the branch around it broke has succeeded), writes the run's end, and gives back the leases the run still
 * holds. A second call writes the same.
 */
export async function finish(input: FinishInput, services: Services): Promise<FinishOutput> {
  const { state, now } = services
  const { run, steps, only = null } = input
  await state.startRun({
    id: run.id,
    workflow: run.workflow,
    startTime: Date.parse(run.started_at),
    runner: services.runner,
    trigger: run.trigger,
    only,
  })
  const outcomes = Object.entries(steps)
  const known = new Map((await state.run(run.id))?.steps.map((step) => [step.step, step]))
  for (const [name, outcome] of outcomes) {
    if (outcome.status !== 'success' && known.get(name)?.status !== 'success')
      await recordEnd(run, name, outcome, { state }, known.get(name))
  }
  const named = (status: StepOutcome['status']) =>
    outcomes.filter(([, outcome]) => outcome.status === status).map(([name]) => name)
  const end = await state.run(run.id)
  // A replica's are the sums over its tables.
  const sum = (pick: (step: NonNullable<typeof end>['steps'][number]) => number) =>
    (end?.steps ?? []).reduce((total, step) => total + (step.tables === undefined ? pick(step) : 0), 0)
  const spent = sumOfSpent([services.spent?.()])
  const cost = end === null ? null : runCost({ ...end, run: { ...end.run, ...spent } })
  const checked = (end?.steps ?? []).flatMap(({ step, checks = [] }) =>
    checks.length === 0 ? [] : [[step, countsOf(checks)] as const],
  )
  const changes = changesIn(end?.steps ?? [])
  const status = statusOfRun(outcomes.map(([, outcome]) => outcome))
  const output: FinishOutput = {
    status: status === 'success' ? 'success' : 'failed',
    failed: named('failed'),
    skipped: named('skipped'),
    refused: named('refused'),
    ...(cost === null ? {} : { us_dollars: cost.usDollars }),
    ...(checked.length === 0 ? {} : { checks: Object.fromEntries(checked) }),
    ...(Object.keys(changes).length === 0 ? {} : { changes }),
  }
  await state.finishRun(run.id, {
    status,
    endTime: now(),
    recordsProcessed: sum(({ read }) => read),
    recordsFailed: sum(({ quarantined }) => quarantined),
    error: reasonsOf(outcomes, new Map(end?.steps.map(({ step, error }) => [step, error]))),
    ...spent,
  })
  // Last: a Plan that comes late sees the end of the run, or its lease is given back here.
  for (const [name] of outcomes) await state.releaseLease(name, run.id)
  return output
}

/** Of pipelines the machine knows the beginning of the reason; the whole of it is in the records of the steps. */
function reasonsOf(
  outcomes: readonly [step: string, outcome: StepOutcome][],
  recorded: ReadonlyMap<string, string | null>,
): string | null {
  const reasons = outcomes.flatMap(([name, { status, reason }]) => {
    const why = status === 'success' ? null : (recorded.get(name) ?? reason)
    return why === null ? [] : [`${name}: ${why}`]
  })
  return reasons.join('; ') || null
}
