import { basename } from 'node:path'
import type { Progress } from 'dray/internal/pipeline/services.ts'
import type { StepStatus } from 'dray/internal/state/state-store.ts'

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

interface Partition {
  /** Phases that are done: extract, transform, load. */
  done: number
  /** Rows that passed the running phase, and how many there are to pass. */
  rows: number
  of: number | null
  read: number
  loaded: number
}

interface Step {
  status: StepProgress['status']
  phase: string
  startedAt: number | null
  endedAt: number | null
  planned: boolean
  expected: number
  /** Rows of the whole window, as far as the plan knows. */
  windowRows: number
  partitions: Map<number, Partition>
}

/** The step that a call works for; empty for a call of the whole run. */
export function stepOf(payload: unknown): string {
  const { step, pipeline, task } = (payload ?? {}) as Payload
  return step ?? pipeline ?? task ?? ''
}

const phases = ['extract', 'transform', 'load']

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
        planned: false,
        expected: 0,
        windowRows: 0,
        partitions: new Map(),
      })
      this.#show(name)
    }
  }

  called(call: ObservedCall): void {
    const { name, step, payload, phase } = this.#find(call)
    // How it ended is asked when it has.
    if (!step || phase === 'outcome') return
    step.startedAt ??= this.#now()
    if (step.status === 'waiting') step.status = 'running'
    step.phase = phase
    if (payload.partition !== undefined) {
      const partition = partitionOf(step, payload.partition)
      partition.rows = 0
      partition.of = payload.extracted?.rows ?? (step.windowRows > 0 ? step.windowRows / step.expected : null)
      partition.done = Math.max(0, phases.indexOf(phase))
      step.phase = `${phase} ${payload.partition + 1} of ${step.expected}`
    }
    this.#show(name)
  }

  returned(call: ObservedCall, output: unknown): void {
    const { name, step, payload, phase } = this.#find(call)
    if (!step) return
    if (phase === 'plan') {
      step.planned = true
      step.expected = (output as { count?: number } | null)?.count ?? 0
      step.phase = `${step.expected} ${step.expected === 1 ? 'partition' : 'partitions'}`
    } else if (payload.partition !== undefined) {
      const partition = partitionOf(step, payload.partition)
      partition.done = phases.indexOf(phase) + 1
      partition.rows = 0
      const extracted = (output as { extracted?: { rows: number } } | null)?.extracted ?? payload.extracted
      if (phase === 'extract') partition.read = extracted?.rows ?? partition.read
      if (phase === 'load') partition.loaded = extracted?.rows ?? partition.loaded
    } else if (phase === 'reconcile' && (output as { at?: object | null } | null)?.at) {
      step.phase = `${phase}, call ${(payload.call ?? 1) + 1}`
    } else if (phase !== 'outcome') {
      this.ended(name, 'success', null)
    }
    this.#show(name)
  }

  /** The call failed; whether it is tried again is up to the state machine. */
  failed(call: ObservedCall, error: Error): void {
    const { name, step, phase } = this.#find(call)
    if (!step) return
    step.phase = `${phase} failed: ${error.name}`
    this.#show(name)
  }

  rows(event: Progress): void {
    const step = this.#steps.get(event.pipeline)
    if (!step) return
    if (event.partition === null) {
      if (event.phase === 'plan') step.windowRows = event.rows
      return
    }
    const partition = partitionOf(step, event.partition)
    partition.rows = event.rows
    if (event.phase === 'extract') partition.read = event.rows
    if (event.phase === 'load') partition.loaded = event.rows
    this.#show(event.pipeline)
  }

  ended(name: string, status: StepStatus, reason: string | null): void {
    const step = this.#steps.get(name)
    if (!step) return
    step.status = status
    step.endedAt ??= this.#now()
    step.phase = reason ?? ''
    this.#show(name)
  }

  #find(call: ObservedCall): { name: string; step: Step | undefined; payload: Payload; phase: string } {
    const payload = (call.payload ?? {}) as Payload
    const name = stepOf(payload)
    return { name, step: this.#steps.get(name), payload, phase: basename(call.handler, '.ts') }
  }

  #show(name: string): void {
    const step = this.#steps.get(name) as Step
    const partitions = [...step.partitions.values()]
    this.#view.update({
      name,
      status: step.status,
      phase: step.phase,
      fraction: step.status === 'success' ? 1 : fractionOf(step),
      rowsRead: sum(partitions, (partition) => partition.read),
      rowsLoaded: sum(partitions, (partition) => partition.loaded),
      partitions: step.expected,
      elapsedMs: step.startedAt === null ? 0 : (step.endedAt ?? this.#now()) - step.startedAt,
    })
  }
}

function partitionOf(step: Step, index: number): Partition {
  const partition = step.partitions.get(index) ?? { done: 0, rows: 0, of: null, read: 0, loaded: 0 }
  step.partitions.set(index, partition)
  return partition
}

/** Plan, commit and each phase of each partition count the same; a running phase counts by its rows. */
function fractionOf(step: Step): number {
  if (!step.planned) return 0
  const passed = sum([...step.partitions.values()], ({ done, rows, of }) => done + (of ? Math.min(rows / of, 1) : 0))
  return (1 + passed) / (2 + phases.length * step.expected)
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}
