import { setTimeout as delay } from 'node:timers/promises'
import type { StepOutcome } from 'dray/internal/messages/stages.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import type { RunDetail, StateStore } from 'dray/internal/state/state-store.ts'
import type { ProgressView } from '#dray-infra/runs/run-progress.ts'
import { type RunResult, resultOf } from '#dray-infra/runs/run-result.ts'
import type { Execution } from './machine.ts'
import { PlannedSizes } from './planned-sizes.ts'
import { showRecorded } from './recorded-progress.ts'
import { mayPass } from './refusals.ts'

export interface WatchedRun {
  readonly id: string
  readonly workflow: string
  /** The steps that it was asked for; null for all. */
  readonly only: readonly string[] | null
  /** The tables of replicas that it was asked for; null for all. */
  readonly asked?: readonly string[] | null
  readonly steps: readonly string[]
  /** What is to be said of the run as a whole. */
  readonly notes: readonly string[]
  execution(): Promise<Execution>
}

export interface Watching {
  readonly state: StateStore
  readonly staging: StagingStore
  readonly view: ProgressView
  /** Ends the watching, and leaves the run alone. */
  readonly signal: AbortSignal
  /** How long to wait after a look that failed, in ms; 10,000 unless told. */
  readonly pauseAfterFailureMs?: number
}

const SHORTEST_PAUSE_MS = 300
const LONGEST_PAUSE_MS = 10_000
/** Each look reads the metrics of all partitions. */
const PAUSE_OF_PARTITION_MS = 4

/** Looks that may fail one after another before the watching is given up: about five minutes. */
const MOST_FAILURES = 30

/**
 * Looks at a run until it has ended, by its metrics and its execution; null when the signal ended the watching before.
 */
export async function watchRun(run: WatchedRun, watching: Watching): Promise<RunResult | null> {
  const { view, signal, pauseAfterFailureMs = LONGEST_PAUSE_MS } = watching
  const planned = new PlannedSizes(watching.staging, run.id)
  let failures = 0
  for (let pause = SHORTEST_PAUSE_MS; !signal.aborted; pause = Math.min(1_000, pause * 1.3)) {
    let partitions = 0
    try {
      const { result, detail } = await look(run, planned, watching)
      if (result !== null) return result
      if (failures > 0) view.note('AWS answers again.')
      partitions = detail?.partitions.length ?? 0
      failures = 0
    } catch (error) {
      failures += 1
      if (!mayPass(error) || failures > MOST_FAILURES) throw error
      if (failures === 1) view.note(`AWS does not answer, which is tried again: ${(error as Error).message}`)
    }
    const longer = failures > 0 ? pauseAfterFailureMs : Math.min(LONGEST_PAUSE_MS, partitions * PAUSE_OF_PARTITION_MS)
    await delay(Math.max(pause, longer), undefined, { signal }).catch(() => {})
  }
  return null
}

async function look(run: WatchedRun, planned: PlannedSizes, { state, view }: Watching) {
  // Before the metrics: what it has done by then is in them.
  const execution = await run.execution()
  const detail = await state.run(run.id)
  const running = detail?.steps.filter(({ step, status }) => status === 'running' && run.steps.includes(step)) ?? []
  for (const { step } of running) await planned.learn(step)
  const result = execution.status === 'running' ? null : endOf(run, execution, detail)
  const known = { steps: result?.steps ?? detail?.steps ?? [], partitions: detail?.partitions ?? [] }
  showRecorded(view, run.steps, known, planned.sizes, Date.now())
  return { result, detail }
}

function endOf(run: WatchedRun, execution: Execution, detail: RunDetail | null): RunResult {
  const { id, workflow, only, asked = null, steps } = run
  const reason = reasonOf(execution)
  // The janitor says the same of them in the table, a moment later.
  const cut = detail?.steps.filter(({ status }) => status === 'running') ?? []
  const outcomes = Object.fromEntries(
    cut.map(({ step, error }): [string, StepOutcome] => [step, { status: 'failed', reason: error ?? reason }]),
  )
  const told = cut.length > 0 || (detail?.steps ?? []).some(({ error }) => error !== null)
  const facts = {
    id,
    workflow,
    only,
    asked,
    seconds: ((execution.endTime ?? Date.now()) - execution.startTime) / 1000,
    notes: told || execution.status === 'succeeded' ? run.notes : [...run.notes, reason],
    interrupted: execution.status === 'aborted',
    // What has been called has written so, unless it ended before.
    started: null,
  }
  return resultOf(facts, steps, detail, outcomes)
}

function reasonOf({ status, reason }: Execution): string {
  const how = status === 'aborted' ? 'was aborted' : status === 'failed' ? 'failed' : 'ended'
  return `The execution ${how}${reason === null ? '' : `: ${reason}`}.`
}
