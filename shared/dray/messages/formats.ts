import { TerminalError } from '#dray/errors.ts'

/**
 * The format in which this code writes what outlives a deployment, which is the newest that it reads. What says none is
 * of format 1: from before formats were said. Whoever changes one of these so that an earlier reader would take it
 * wrongly counts its number up, and has the reader understand the earlier formats, or refuse them in words.
 */
export const formats = {
  /** The payload of a stage, in `version`: it comes from the state machine or from the stage before. */
  message: 1,
  /** A staged object and what its rows or documents hold, in the `version` of its first line. */
  stagedObject: 1,
  /**
   * The plan of a run, in its `format`. From 2 on its Loads leave it to Commit to quarantine what they refuse, and the
   * keys of its partitions may be staged beside it.
   */
  plan: 2,
  /** An item of the state table, in its `format_version`. */
  stateItem: 1,
  /** What is asked of the function that fits tables to models, in its `version`. */
  schema: 1,
} as const

/** Throws `Terminal` when `what` is of a format that this code does not know. */
export function checkFormat(kind: keyof typeof formats, format: unknown, what: string): void {
  const known = formats[kind]
  const found = format ?? 1
  if (typeof found === 'number' && Number.isInteger(found) && found >= 1 && found <= known) return
  const said = typeof found === 'object' ? 'an object' : String(found).slice(0, 40)
  throw new TerminalError(
    `${what} is of format ${said}, written by a newer version of Dray than this one, which reads formats up to ${known}; nothing was changed by it. Deploy the newer version here, too, then resume the run or start it again`,
  )
}
