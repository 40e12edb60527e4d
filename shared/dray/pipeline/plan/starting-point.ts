import { TerminalError } from '#dray/errors.ts'
import type { Cursor } from '#dray/pipeline/declare/extraction.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { compareInstants } from '#dray/pipeline/texts/instant.ts'
import type { OtherTable } from './table-identity.ts'

/** From where on a usual run reads, and why it is not from `last_run`. */
export interface StartingPoint {
  readonly from: string | null
  readonly note: string | null
}

/**
 * The older one of `last_run` and the target's mark, up to where rows have landed there. Throws `Terminal` for an
 * append whose two differ: it would leave rows out, or load some twice. `partly` is the run of an append that has
 * landed some of the rows behind the mark, if any.
 */
export function startingPoint(
  pipeline: Pipeline,
  lastRun: string | null,
  mark: string | null,
  partly: string | null = null,
): StartingPoint {
  const { extract, load } = pipeline
  if (extract.cursor === null || lastRun === mark) return { from: lastRun, note: null }
  const isBehind = isOlder(extract.cursor, mark, lastRun)
  if (load.kind === 'append' && partly !== null) throw appendToPart(pipeline, lastRun, mark, partly)
  if (load.kind === 'append')
    throw isBehind ? appendToOlder(pipeline, lastRun, mark) : appendAgain(pipeline, lastRun, mark)
  const [from, other] = isBehind ? [mark, lastRun] : [lastRun, mark]
  const where = `${load.target.definition.database}.${load.target.definition.table}`
  const again = `${from === null ? 'all rows are' : `what changed from ${from} until ${other} is`} read again`
  const note = isBehind
    ? `last_run is ${lastRun} and rows have landed in ${where} ${upTo(mark)}: it is new, was restored from a backup or is another one, so ${again}`
    : `rows have landed in ${where} ${upTo(mark)} and last_run is ${lastRun ?? 'not known'}: it did not move after them, or the state was lost, so ${again}`
  const late = extract.cursor.lateRows
    ? `; rows that came late since then are not read again, and \`npx dray reconcile ${pipeline.name} --fix\` finds them`
    : ''
  return { from, note: note + late }
}

/** Throws `Terminal` for an append, which knows no row again. */
export function fromTheBeginning({ name, load }: Pipeline, lastRun: string, other: OtherTable): StartingPoint {
  if (load.kind !== 'append') return { from: null, note: `${other.why}, so all rows are read again` }
  const { database, table } = load.target.definition
  const kept = other.isOtherCursor
    ? `\`npx dray state set ${name} '<value of the new cursor>' --yes\` reads on from there`
    : `\`npx dray state set ${name} '${lastRun}' --yes\` takes its rows for those that it had and reads on from there`
  throw new TerminalError(
    `${name}: ${other.why}; an append from last_run (${lastRun}) could leave rows out for good, and one of all rows could load some twice, so nothing was read. ${kept}; or delete all rows of ${database}.${table}, then \`npx dray state reset ${name} --yes\` has all rows loaded once`,
  )
}

function upTo(mark: string | null): string {
  return mark === null ? 'at no time' : `up to ${mark}`
}

function isOlder(cursor: Cursor, mark: string | null, lastRun: string | null): boolean {
  if (mark === null || lastRun === null) return mark === null
  if (cursor.kind === 'timestamp') return compareInstants(mark, lastRun) < 0
  // A mark that is no number is of a cursor that there was before.
  const areNumbers = [mark, lastRun].every((text) => /^-?\d+$/.test(text))
  return !areNumbers || BigInt(mark) < BigInt(lastRun)
}

function appendToOlder({ name, load }: Pipeline, lastRun: string | null, mark: string | null): TerminalError {
  const { database, table } = load.target.definition
  const remedy =
    mark === null
      ? `\`npx dray state reset ${name} --yes\` has all rows loaded once`
      : `\`npx dray state set ${name} '${mark}' --yes\` has what changed since then loaded`
  return new TerminalError(
    `${name}: last_run is ${lastRun} and rows have landed in ${database}.${table} ${upTo(mark)}: it is new, was restored from a backup or is another one, so an append from last_run would leave rows out for good, and nothing was read; ${remedy}, \`npx dray state set ${name} '${lastRun}' --yes\` takes the table as complete`,
  )
}

function appendAgain({ name, load }: Pipeline, lastRun: string | null, mark: string | null): TerminalError {
  const { database, table } = load.target.definition
  return new TerminalError(
    `${name}: rows have landed in ${database}.${table} up to ${mark} and last_run is ${lastRun ?? 'not known'}: it did not move after them, or the state was lost, so an append from last_run would load rows twice, and nothing was read; \`npx dray state set ${name} '${mark}' --yes\` has what changed since then loaded`,
  )
}

/** No mark says which of the rows are there: from either one, some would be there twice or never. */
function appendToPart(
  { name, load }: Pipeline,
  lastRun: string | null,
  mark: string | null,
  run: string,
): TerminalError {
  const { database, table } = load.target.definition
  return new TerminalError(
    `${name}: last_run is ${lastRun ?? 'not known'}, rows have landed in ${database}.${table} ${upTo(mark)}, and some behind that by run ${run}, which did not come to its end, so an append would load these twice, and nothing was read; delete all rows of ${database}.${table}, then \`npx dray state reset ${name} --yes\` has all rows loaded once`,
  )
}
