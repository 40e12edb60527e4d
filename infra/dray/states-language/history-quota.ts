import type { HistoryEvent } from './history.ts'
import { StatesError } from './states-error.ts'

/** Step Functions keeps as many events of an execution; the last of them can only be its end. */
const MOST_EVENTS = 25_000

/** One event, which the interpreter has no event for: an expression, or what it gave, was not what it has to be. */
export const EVALUATION_FAILED = 1

/** How many events Step Functions writes for one of the interpreter's. */
const written: Readonly<Record<HistoryEvent['type'], number>> = {
  'execution-started': 1,
  'execution-succeeded': 1,
  'execution-failed': 1,
  'execution-aborted': 1,
  'state-entered': 1,
  'state-exited': 1,
  /** `TaskScheduled` and `TaskStarted`. */
  'task-scheduled': 2,
  'task-succeeded': 1,
  'task-failed': 1,
  'task-timed-out': 1,
  /** The wait for a retry is not written. */
  'task-retried': 0,
  'map-iteration-started': 1,
  'map-iteration-succeeded': 1,
  'map-iteration-failed': 1,
  'map-iteration-aborted': 1,
}

/**
 * The events of one execution, counted as Step Functions writes them.
 * https://docs.aws.amazon.com/step-functions/latest/dg/bp-history-limit.html
 */
export class HistoryQuota {
  #events = 0

  get events(): number {
    return this.#events
  }

  /** Throws `States.Runtime`, which nothing catches, when there is no room for the event before the last one. */
  count(event: HistoryEvent['type']): void {
    this.add(written[event])
  }

  /** For what the interpreter has no event for: `ParallelStateStarted`, `MapRunStarted`, `TaskStateAborted` … */
  add(events: number): void {
    this.#events += events
    if (this.#events < MOST_EVENTS) return
    throw new StatesError(
      'States.Runtime',
      `The execution reached the maximum number of history events (${MOST_EVENTS}).`,
    )
  }
}
