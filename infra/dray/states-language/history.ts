interface At {
  /** Milliseconds since 1970, UTC. */
  readonly at: number
  /** The machine whose execution it is. */
  readonly machine: string
}

interface InState extends At {
  readonly state: string
  /** The index of the Map item that the state works on, or null outside a Map. */
  readonly item: number | null
}

interface Failure {
  readonly error: string
  readonly cause: string
}

/** What happens in an execution, in order. Values are those of the execution: not to be changed. */
export type HistoryEvent =
  | (At & { readonly type: 'execution-started'; readonly name: string; readonly input: unknown })
  | (At & { readonly type: 'execution-succeeded'; readonly output: unknown })
  | (At & Failure & { readonly type: 'execution-failed' })
  | (At & Failure & { readonly type: 'execution-aborted' })
  | (InState & { readonly type: 'state-entered'; readonly stateType: string; readonly input: unknown })
  | (InState & { readonly type: 'state-exited'; readonly output: unknown })
  | (InState & {
      readonly type: 'task-scheduled'
      readonly functionName: string
      readonly payload: unknown
      /** 1 for the first attempt. */
      readonly attempt: number
    })
  | (InState & { readonly type: 'task-succeeded'; readonly output: unknown })
  | (InState & Failure & { readonly type: 'task-failed' })
  | (InState & Failure & { readonly type: 'task-timed-out' })
  | (InState & {
      readonly type: 'task-retried'
      readonly error: string
      readonly delayMs: number
      readonly attempt: number
    })
  | (InState & { readonly type: 'map-iteration-started'; readonly index: number })
  | (InState & { readonly type: 'map-iteration-succeeded'; readonly index: number })
  | (InState & Failure & { readonly type: 'map-iteration-failed'; readonly index: number })
  | (InState & { readonly type: 'map-iteration-aborted'; readonly index: number })

export type HistoryListener = (event: HistoryEvent) => void
