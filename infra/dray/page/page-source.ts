import type { WorkflowSlots } from 'dray/internal/state/workflow-slots.ts'
import type { Stores } from '#dray-infra/runs/stores.ts'
import type { Entry } from './calls.ts'

/** Where the page reads, and by which commands it acts. */
export interface PageSource {
  /** `local`, or the name of an environment. */
  readonly env: string
  readonly stores: Stores
  /** What the functions of a run have logged; throws where that cannot be read. */
  logOf(run: string): Promise<readonly Entry[]>
  /** An error in words that say what to do. */
  explained(error: unknown): unknown
  /** A file that changes with the state; null where there is none to look at. */
  readonly stateFile: string | null
  /** Resolves when databases can be asked; null where the page asks none. */
  readonly databases: Promise<void> | null
  /** What waits for runs that events have asked for; null where events go to a bus. */
  readonly slots: WorkflowSlots | null
  /** Has a command of Dray look at the databases of an environment, and gives its document; null on the laptop. */
  readonly look: ((args: readonly string[]) => Promise<unknown>) | null
  /** Values of rows are shown in their shape alone. */
  readonly isMasked: boolean
  /** Starts a command of Dray; null where the page only shows. */
  readonly act: ((args: readonly string[]) => CommandProcess) | null
}

/** A command of Dray at work. */
export interface CommandProcess {
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
  stop(): void
}
