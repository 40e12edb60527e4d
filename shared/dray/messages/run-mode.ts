import { ConfigurationError } from '#dray/errors.ts'

/** A key of a source row: its text, or for a composite key the texts in the order of the key. */
export type SourceKey = string | readonly string[]

/** Reloads `[from, to)` of the cursor and leaves `last_run` alone. */
export interface BackfillMode {
  readonly backfill: {
    /** ISO 8601, UTC where no offset is said. */
    readonly from: string
    readonly to: string
    /** How much of the range is one partition, e.g. `1d`. */
    readonly chunk?: string | null | undefined
  }
}

/** Loads the rows of these keys and leaves `last_run` alone. */
export interface KeysMode {
  readonly keys: readonly SourceKey[]
}

/** Does what the other run did not come to: steps that did not succeed, partitions that have not landed. */
export interface ResumeMode {
  readonly resume: string
}

/** Sends quarantined rows through the transform and the load again, and leaves `last_run` alone. */
export interface ReplayMode {
  readonly replay: {
    /** Only rows that this run has quarantined. */
    readonly run?: string | null | undefined
    /** Only these rows. */
    readonly ids?: readonly string[] | null | undefined
  }
}

/** What a run reads instead of the window since `last_run`. */
export type ReadingMode = BackfillMode | KeysMode | ReplayMode

/** What a run does instead of reading the window since `last_run`; in the input of the execution as `mode`. */
export type RunMode = ReadingMode | ResumeMode

/** An execution's input holds 256 KiB, and the run's record 400 KB. */
const MOST_BYTES = 200_000

/** The input of an execution in this mode. Throws `Configuration` when it says too much for one. */
export function checkedMode<M extends RunMode>(mode: M): M {
  const bytes = Buffer.byteLength(JSON.stringify(mode))
  if (bytes <= MOST_BYTES) return mode
  throw new ConfigurationError(
    `a run cannot be given ${bytes} bytes of keys (${MOST_BYTES} at most), so nothing was started; give fewer keys to each run`,
  )
}

/** Loads the rows of these keys, and nothing else: the mode of a run. */
export function loadKeys(keys: readonly SourceKey[]): KeysMode {
  return checkedMode({ keys })
}

/** The mode that a run was started in; null for a usual run. */
export function modeOf(run: { readonly mode: string | null }): RunMode | null {
  return run.mode === null ? null : (JSON.parse(run.mode) as RunMode)
}
