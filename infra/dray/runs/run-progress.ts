import { basename } from 'node:path'
import type { StepOutcome } from 'dray/internal/messages/stages.ts'
import { isTableStep, unitOf } from 'dray/internal/messages/step-name.ts'
import type { Progress } from 'dray/internal/pipeline/services.ts'
import type { StepStatus } from 'dray/internal/state/state-store.ts'
import { type Phase, PipelineWork, sum } from './pipeline-work.ts'

/** How far one step of a run has come. */
export interface StepProgress {
  readonly name: string
  readonly status: 'waiting' | StepStatus
  /** What it is doing, for a person: `plan`, `load 3 of 8`. */
  readonly phase: string
  /** From 0 to 1. */
  readonly fraction: number
  readonly rowsRead: number
  readonly rowsLoaded: number
  readonly partitions: number
  /** Milliseconds since the step's first call. */
  readonly elapsedMs: number
}

/** Something that shows progress to a person. */
export interface ProgressView {
  update(step: StepProgress): void
  /** A sentence that is not about one step. */
  note(text: string): void
  stop(): void
}

/** What the tracker has to know of a call; pipelines and tasks put their name into the payload. */
export interface ObservedCall {
  /** `functions/orders/extract.ts` */
  readonly handler: string
  readonly payload: unknown
}

interface Payload {
  readonly pipeline?: string
  readonly task?: string
  /** Of a comparison, which names its pipeline beside it. */
  readonly step?: string
  readonly call?: number
  readonly partition?: number
  readonly extracted?: { readonly rows: number }
}

interface Step {
  status: StepProgress['status']
  phase: string
  startedAt: number | null
  endedAt: number | null
  readonly work: PipelineWork
  /** Of a replica: those that are worked on, and how many there are to be. */
  readonly tables: Map<string, PipelineWork>
  expectedTables: number
}

/** The step that a call works for; empty for a call of the whole run. */
export function stepOf(payload: unknown): string {
  const { step, pipeline, task } = (payload ?? {}) as Payload
  return step ?? pipeline ?? task ?? ''
}

/** A call, and whose it is. */
interface Found {
  readonly name: string
  readonly step: Step
  /** Of the step, or of one of its tables. */
  readonly work: PipelineWork
  readonly isTable: boolean
  readonly payload: Payload
  readonly phase: string
}

/** Follows the calls of a run's handlers and tells a view how far each step has come. */
export class RunProgress {
  readonly #steps = new Map<string, Step>()
  readonly #view: ProgressView
  readonly #now: () => number

  constructor(steps: readonly string[], view: ProgressView, now: () => number = Date.now) {
    this.#view = view
    this.#now = now
    for (const name of steps) {
      this.#steps.set(name, {
        status: 'waiting',
        phase: '',
        startedAt: null,
        endedAt: null,
        work: new PipelineWork(),
        tables: new Map(),
        expectedTables: 0,
      })
      this.#show(name)
    }
  }

  called(call: ObservedCall): void {
    const found = this.#find(call)
    // How it ended is asked when it has.
    if (found === null || found.phase === 'outcome') return
    const { name, step, work, isTable, payload, phase } = found
    step.startedAt ??= this.#now()
    if (step.status === 'waiting') step.status = 'running'
    if (payload.partition !== undefined) work.began(phase, payload.partition, payload.extracted?.rows)
    if (!isTable) {
      step.phase = payload.partition === undefined ? phase : `${phase} ${payload.partition + 1} of ${work.expected}`
    }
    this.#show(name)
  }

  returned(call: ObservedCall, output: unknown): void {
    const found = this.#find(call)
    if (found === null) return
    const { name, step, work, isTable, payload, phase } = found
    if (phase === 'tables') {
      step.expectedTables = (output as { count?: number } | null)?.count ?? 0
      step.phase = tablesPhase(step)
    } else if (phase === 'plan') {
      work.planned((output as { count?: number } | null)?.count ?? 0)
      if (!isTable) step.phase = `${work.expected} ${work.expected === 1 ? 'partition' : 'partitions'}`
    } else if (payload.partition !== undefined) {
      const extracted = (output as { extracted?: { rows: number } } | null)?.extracted ?? payload.extracted
      work.finished(phase, payload.partition, extracted?.rows)
    } else if (isTable) {
      work.hasEnded = true
      step.phase = tablesPhase(step)
    } else if (phase === 'gather') {
      const { status = 'success', reason = null } = (output ?? {}) as Partial<StepOutcome>
      this.ended(name, status, reason)
    } else if (phase === 'reconcile' && (output as { at?: object | null } | null)?.at) {
      step.phase = `${phase}, call ${(payload.call ?? 1) + 1}`
    } else if (phase !== 'outcome') {
      this.ended(name, 'success', null)
    }
    this.#show(name)
  }

  /** The call failed; whether it is tried again is up to the state machine. */
  failed(call: ObservedCall, error: Error): void {
    const found = this.#find(call)
    if (found === null) return
    const { name, step, isTable, payload, phase } = found
    step.phase = isTable ? `${payload.pipeline}: ${phase} failed: ${error.name}` : `${phase} failed: ${error.name}`
    this.#show(name)
  }

  rows(event: Progress): void {
    const found = this.#workOf(event.pipeline)
    if (found === null) return
    if (event.partition !== null) found.work.passed(event.phase as Phase, event.partition, event.rows)
    else if (event.phase === 'plan') found.work.windowRows = event.rows
    if (event.partition !== null) this.#show(found.name)
  }

  ended(name: string, status: StepStatus, reason: string | null): void {
    const step = this.#steps.get(name)
    if (!step) return
    step.status = status
    step.endedAt ??= this.#now()
    step.phase = reason ?? (step.expectedTables > 0 ? tablesPhase(step) : '')
    this.#show(name)
  }

  #find(call: ObservedCall): Found | null {
    const payload = (call.payload ?? {}) as Payload
    const found = this.#workOf(stepOf(payload))
    return found === null ? null : { ...found, payload, phase: basename(call.handler, '.ts') }
  }

  /** A table that is not a step itself counts for its replica. */
  #workOf(name: string): Pick<Found, 'name' | 'step' | 'work' | 'isTable'> | null {
    const own = this.#steps.get(name)
    if (own !== undefined) return { name, step: own, work: own.work, isTable: false }
    const step = this.#steps.get(unitOf(name))
    if (step === undefined || !isTableStep(name)) return null
    const work = step.tables.get(name) ?? new PipelineWork()
    step.tables.set(name, work)
    return { name: unitOf(name), step, work, isTable: true }
  }

  #show(name: string): void {
    const step = this.#steps.get(name) as Step
    const works = [step.work, ...step.tables.values()]
    this.#view.update({
      name,
      status: step.status,
      phase: step.phase,
      fraction: step.status === 'success' ? 1 : fractionOf(step),
      rowsRead: sum(works, ({ rowsRead }) => rowsRead),
      rowsLoaded: sum(works, ({ rowsLoaded }) => rowsLoaded),
      partitions: step.work.expected,
      elapsedMs: step.startedAt === null ? 0 : (step.endedAt ?? this.#now()) - step.startedAt,
    })
  }
}

function tablesPhase({ tables, expectedTables }: Step): string {
  const ended = [...tables.values()].filter(({ hasEnded }) => hasEnded).length
  return `${ended} of ${expectedTables} ${expectedTables === 1 ? 'table' : 'tables'}`
}

function fractionOf({ work, tables, expectedTables }: Step): number {
  if (expectedTables === 0) return work.fraction
  return sum([...tables.values()], ({ fraction }) => fraction) / expectedTables
}
