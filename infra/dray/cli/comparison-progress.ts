import { count } from './format.ts'
import { say } from './output.ts'
import type { ProgressMode } from './verb.ts'

/** What takes longer says how far it is, and then each ten seconds. */
const FIRST_MS = 2_000
const EVERY_MS = 10_000

/** Says how many rows of a source have been compared; nothing of a comparison that is short. */
export function comparisonProgress(
  { progress }: { readonly progress: ProgressMode },
  { now = Date.now, write = say }: { readonly now?: () => number; readonly write?: (text: string) => void } = {},
): (pipeline: string, rows: number) => void {
  let due = now() + FIRST_MS
  return (pipeline, rows) => {
    if (progress === 'none' || now() < due) return
    due = now() + EVERY_MS
    write(`${pipeline}: ${count(rows)} rows of the source compared so far\n`)
  }
}
