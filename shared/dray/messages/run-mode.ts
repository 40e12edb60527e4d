import * as z from 'zod'
import { ConfigurationError, TerminalError } from '#dray/errors.ts'
import { checked, type Message } from './message.ts'

/*
 * What a run does instead of reading the window since `last_run`. The descriptions are what a person reads who writes
 * something else: the state machine compiles them into its check of an execution's input.
 */

const instant = z
  .string()
  .min(1)
  .meta({ description: 'a point in time such as "2024-06-01T12:00:00Z", or a number of a counter' })
const keyText = z.string()

/** A key of a source row: its text, or for a composite key the texts in the order of the key. */
const sourceKey = z.union([keyText, z.array(keyText).min(1)])

/** Reloads `[from, to)` of the cursor and leaves `last_run` alone. */
const backfillMode = z.strictObject({
  backfill: z
    .strictObject({
      /** ISO 8601, UTC where no offset is said; a number where the cursor is a counter. */
      from: instant,
      to: instant,
      /** How much of the range is one partition, e.g. `1d`. */
      chunk: z
        .string()
        .nullish()
        .meta({ description: 'a length of time such as "1d", how many numbers of a counter, or null' }),
    })
    .meta({ description: 'an object with from, to and maybe chunk' }),
})

/** Loads the rows of these keys and leaves `last_run` alone. */
const keysMode = z.strictObject({
  keys: z
    .array(sourceKey)
    .min(1)
    .meta({ description: 'a list of keys, each a string or, where a key has several columns, a list of strings' }),
})

/** Does what the other run did not come to: steps that did not succeed, partitions that have not landed. */
const resumeMode = z.strictObject({ resume: z.string().min(1).meta({ description: 'the name of a run' }) })

/** Sends quarantined rows through the transform and the load again, and leaves `last_run` alone. */
const replayMode = z.strictObject({
  replay: z
    .strictObject({
      /** Only rows that this run has quarantined. */
      run: z.string().nullish().meta({ description: 'the name of a run, or null' }),
      /** Only these rows. */
      ids: z.array(z.string()).min(1).nullish().meta({ description: 'a list of ids, or null' }),
    })
    .meta({ description: 'an object with maybe run and ids' }),
})

export const runMode = z
  .union([backfillMode, keysMode, resumeMode, replayMode])
  .meta({ description: 'one of {"backfill": {"from", "to"}}, {"keys": []}, {"resume": "a run"} and {"replay": {}}' })

export type SourceKey = Message<typeof sourceKey>
export type BackfillMode = Message<typeof backfillMode>
export type KeysMode = Message<typeof keysMode>
export type ReplayMode = Message<typeof replayMode>

/** What a run reads instead of the window since `last_run`. */
export type ReadingMode = BackfillMode | KeysMode | ReplayMode

/** What a run does instead of reading the window since `last_run`; in the input of the execution as `mode`. */
export type RunMode = Message<typeof runMode>

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

/** The mode that a run was started in; null for a usual run. Throws `Terminal` for a record that says no mode. */
export function modeOf({ mode }: { readonly mode: string | null }): RunMode | null {
  if (mode === null) return null
  const found = checked(runMode, jsonOf(mode))
  if ('data' in found) return found.data
  throw new TerminalError(
    `The record of the run says ${JSON.stringify(mode.slice(0, 80))}, which is no mode of a run, so nothing was done with it; start a run anew: \`dray run\`, \`dray backfill\` or \`dray quarantine replay\``,
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
