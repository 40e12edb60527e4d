import { createHash } from 'node:crypto'

/* Names of steps: a pipeline's or a task's own, `orders`; of a table of a replica, `sales-raw/orders`. */

/** The ledger's tables hold names of so many characters, and a folder's name has so many bytes at most. */
const LONGEST = 100
const LONGEST_FOLDER = 200
const HASH = 8

/** Tells two names apart that are cut to the same beginning. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HASH)
}

/** What the pipeline of a table is called; a name that is too long ends in a hash of the whole. */
export function tableStep(replica: string, table: string): string {
  const whole = `${replica}/${table}`
  if (fits(whole)) return whole
  let kept = [...whole].slice(0, LONGEST - HASH - 1)
  while (!fits(`${kept.join('')}~${'0'.repeat(HASH)}`)) kept = kept.slice(0, -1)
  return `${kept.join('')}~${shortHash(whole)}`
}

function fits(step: string): boolean {
  return step.length <= LONGEST && folderOfStep(step).length <= LONGEST_FOLDER
}

/** Whether a step is a table of a replica. */
export function isTableStep(step: string): boolean {
  return step.includes('/')
}

/** The folder under `functions/` that a step belongs to: the replica of a table, else the step itself. */
export function unitOf(step: string): string {
  return step.split('/', 1)[0] as string
}

/** The table that a step is named after, unless its name was cut. */
export function tableOfStep(step: string): string {
  return step.slice(step.indexOf('/') + 1)
}

const SEPARATOR = '!'
const ODD = /[^\w.-]/gu

/** A step as a part of a path that any store takes: `sales-raw!orders`; other characters are bytes, `!20`. */
export function folderOfStep(step: string): string {
  if (!isTableStep(step)) return step
  const bytes = (character: string) =>
    [...Buffer.from(character)].map((byte) => `!${byte.toString(16).padStart(2, '0')}`).join('')
  return `${unitOf(step)}${SEPARATOR}${tableOfStep(step).replace(ODD, bytes)}`
}

/** The same, read the other way. */
export function stepOfFolder(folder: string): string {
  const end = folder.indexOf(SEPARATOR)
  if (end === -1) return folder
  const escaped = folder.slice(end + 1).replaceAll(SEPARATOR, '%')
  return `${folder.slice(0, end)}/${decodeURIComponent(escaped)}`
}

/** What stands behind a run's name in that of the execution of a table's pipeline. */
export function executionSuffix(step: string): string {
  return createHash('sha256').update(step).digest('hex').slice(0, 12)
}
