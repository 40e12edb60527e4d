import type { CommonOptions, ProgressMode } from './verb.ts'

/** How a verb that runs something was asked for. */
export interface RunOptions extends CommonOptions {
  readonly demo?: boolean
  /** Keys of source rows, as they were typed. */
  readonly keys?: string
  /** Steps of the workflow, as they were typed. */
  readonly only?: string
  /** The workflow of a pipeline that several have. */
  readonly workflow?: string
  /** Runs the bundles of the functions, each in its own process. */
  readonly isolated?: boolean
  /** Leaves a run of a deployed environment as soon as it is started. */
  readonly detach?: boolean
  /** The name of a local run, by whoever has to know it before it starts. */
  readonly runId?: string | undefined
  /** What events, or a schedule, ask of it, as JSON. */
  readonly request?: string
  readonly progress: ProgressMode
}
