import { ConfigurationError } from '#shared/active-record/index.ts'
import type { RunDetail, StateStore } from '#shared/state/state-store.ts'

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

/** What a run does instead of reading the window since `last_run`; in the input of the execution as `mode`. */
export type RunMode = BackfillMode | KeysMode | ResumeMode | ReplayMode

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

/**
 * The run that is resumed, the run that one resumed, and so on. Throws `Configuration` when one is not known (any more).
 */
export async function resumedRuns(state: Pick<StateStore, 'run'>, runId: string): Promise<RunDetail[]> {
  const chain: RunDetail[] = []
  for (let next: string | null = runId; next !== null; ) {
    const detail: RunDetail | null = await state.run(next)
    if (detail === null) {
      throw new ConfigurationError(
        `there is no run ${next} (its record may have expired), so it cannot be resumed; \`dray runs\` lists the runs there are`,
      )
    }
    chain.push(detail)
    const mode: RunMode | null = modeOf(detail.run)
    next = mode !== null && 'resume' in mode ? mode.resume : null
  }
  return chain
}

/** The run of the chain in which a step has succeeded, or null. */
export function succeededIn(chain: readonly RunDetail[], step: string): string | null {
  const found = chain.find(({ steps }) => steps.some((one) => one.step === step && one.status === 'success'))
  return found?.run.id ?? null
}
