import type { StepOutcome } from 'dray/internal/messages/stages.ts'
import { isTableStep, unitOf } from 'dray/internal/messages/step-name.ts'
import { statusOfRun } from 'dray/internal/state/run-status.ts'
import { emptyStep, type RunDetail, type StepRecord } from 'dray/internal/state/state-store.ts'

export interface RunResult {
  readonly id: string
  readonly workflow: string
  /** The steps that it was asked for; null for all of its workflow. */
  readonly only?: readonly string[] | null
  /** The tables of replicas that it was asked for; null for all. */
  readonly asked?: readonly string[] | null
  readonly status: 'success' | 'failed' | 'refused' | 'interrupted'
  readonly seconds: number
  /** What is to be said of the run as a whole: where steps wait for others that they do not depend on. */
  readonly notes?: readonly string[]
  /** In the order of the workflow. */
  readonly steps: readonly StepRecord[]
  /** Those of replicas' tables that are no steps of the workflow, in the order of their names. */
  readonly tables?: readonly StepRecord[]
}

/** What a run came to: the records of the state store, and the state machine's word on steps that have none. */
export function resultOf(
  run: {
    readonly id: string
    readonly workflow: string
    readonly only?: readonly string[] | null
    readonly asked?: readonly string[] | null
    readonly seconds: number
    readonly interrupted: boolean
    /** The steps that were called; null where that is not known of steps without a record. */
    readonly started: ReadonlySet<string> | null
    readonly notes?: readonly string[]
  },
  steps: readonly string[],
  detail: RunDetail | null,
  outcomes: Readonly<Record<string, StepOutcome>>,
): RunResult {
  const records = new Map(detail?.steps.map((step) => [step.step, step]))
  const all = steps.map((name) => withOutcome(records.get(name) ?? noRecord(run, name), outcomes[name]))
  const { id, workflow, only = null, asked = null, seconds, notes = [] } = run
  const status = run.interrupted ? 'interrupted' : statusOfRun(all)
  return { id, workflow, only, asked, seconds, notes, steps: all, tables: tablesAmong(detail, steps), status }
}

function tablesAmong(detail: RunDetail | null, steps: readonly string[]): readonly StepRecord[] {
  const isTable = ({ step }: StepRecord) => isTableStep(step) && !steps.includes(step) && steps.includes(unitOf(step))
  return (detail?.steps ?? []).filter(isTable).sort((one, other) => (one.step < other.step ? -1 : 1))
}

/** The machine saw the whole step; the store may lack the end of a step whose handler died. */
function withOutcome(record: StepRecord, outcome: StepOutcome | undefined): StepRecord {
  if (!outcome || outcome.status === record.status) return record
  return { ...record, status: outcome.status, error: outcome.reason ?? record.error }
}

function noRecord(
  run: { readonly id: string; readonly started: ReadonlySet<string> | null },
  step: string,
): StepRecord {
  const started = run.started?.has(step) ?? false
  return {
    ...emptyStep(run.id, step),
    status: started ? 'failed' : 'skipped',
    error: run.started === null ? NOT_KNOWN : started ? 'It did not come to its end.' : 'It was not started.',
  }
}

const NOT_KNOWN =
  'It has written nothing, so it was not reached, or ended before it could say so; the history of the execution tells which.'
