import { sumOfSpent } from '#dray/messages/spent.ts'
import type { OutcomeInput, RunReference, StepOutcome } from '#dray/messages/stages.ts'
import { emptyStep, type StepRecord } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { enterRun } from './enter-run.ts'

/** Longer than any that a machine cuts: see `workflow/expressions.ts`. */
const LONGEST_REASON = 2_000

/**
 * How a pipeline ended in a run: writes what its machine has seen, or says what has been written. A pipeline that
 * ended without a word, stopped, timed out or never started, has failed with the fault that its workflow's machine was
 * told. One whose Commit wrote its success has succeeded, even if Commit's answer was lost.
 */
export async function outcome(input: OutcomeInput, services: Services): Promise<StepOutcome> {
  const { run, pipeline, only = null, fault } = input
  const recorded = await written(run.id, pipeline, services)
  if (recorded !== null && (input.outcome === null || recorded.status === 'success')) return recorded
  const ending = input.outcome ?? { status: 'failed', reason: cut(fault ?? 'It did not come to its end.') }
  await enterRun({ run, only }, services)
  if (ending.status !== 'success') await recordEnd(run, pipeline, ending, services)
  return ending
}

function cut(reason: string): string {
  return reason.slice(0, LONGEST_REASON)
}

async function written(run: string, pipeline: string, { state }: Services): Promise<StepOutcome | null> {
  const record = await state.stepRecord(run, pipeline)
  if (record === null || record.status === 'running') return null
  return { status: record.status, reason: record.error === null ? null : inOneLine(record.error) }
}

/** Without what JSON writes in six bytes: reasons of many steps share a payload. */
function inOneLine(reason: string): string {
  return reason.replace(/\p{Cc}/gu, ' ').toWellFormed()
}

/** Records the end of a step that did not succeed, with what is known of it; of a reason that is cut, the whole. */
export async function recordEnd(
  run: Pick<RunReference, 'id'>,
  step: string,
  { status, reason }: StepOutcome,
  { state, spent }: Pick<Services, 'state' | 'spent'>,
  known?: StepRecord,
): Promise<void> {
  const before = known ?? (await state.stepRecord(run.id, step))
  const last = (await state.pipeline(step))?.lastRun ?? null
  const record = before ?? { ...emptyStep(run.id, step), lastRunBefore: last, lastRunAfter: last }
  const isWhole = reason === null || inOneLine(record.error ?? '').startsWith(inOneLine(reason))
  const error = isWhole ? record.error : reason
  await state.putStep({ ...record, ...sumOfSpent([record.spent, spent?.()]), status, error })
}
