import type { RunRequest } from '#dray/messages/run-input.ts'

/** Who may run a workflow: at most one run has the slot, and what was asked for meanwhile waits in it. */
export interface WorkflowSlot {
  readonly workflow: string
  /** Milliseconds since 1970: when it was first looked at. */
  readonly createdAt: number
  /** Counts the writes; the condition of each. */
  readonly revision: number
  /** Counts the runs. */
  readonly generation: number
  readonly run: string | null
  /** Milliseconds since 1970: when the last run took the slot; null before the first. */
  readonly tookAt: number | null
  /** False until the run has surely been started. */
  readonly started: boolean
  /** Milliseconds since 1970: when it was; null before, and of a slot that was written before this was kept. */
  readonly startedAt: number | null
  /** What its run was asked for, and what the next one is. */
  readonly request: RunRequest | null
  readonly pending: RunRequest | null
  /** Fingerprints of the events seen last. */
  readonly seen: readonly string[]
}

export interface WorkflowSlots {
  /** The slot of a workflow; made when it is not there. */
  open(workflow: string, now: number): Promise<WorkflowSlot>
  /** Writes the slot if nobody has written since it was read; says whether it did. */
  write(slot: WorkflowSlot): Promise<boolean>
}
