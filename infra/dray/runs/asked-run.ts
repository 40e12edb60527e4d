import type { RunRequest } from 'dray/internal/messages/run-input.ts'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { AskedSteps } from './asked-steps.ts'
import type { Stores } from './stores.ts'

/** What is to be run, and in which way. */
export interface AskedRun extends AskedSteps {
  readonly mode: RunMode | null
  readonly trigger: string
  /** What events have told of it, where they have asked for it. */
  readonly request?: Pick<RunRequest, 'events' | 'entities' | 'causation'>
}

/** A run, or what it is made of once the stores can be read. Throws `Configuration` when there is nothing to run. */
export type Asked = (stores: Stores) => Promise<AskedRun>
