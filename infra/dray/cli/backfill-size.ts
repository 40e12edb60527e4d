import { withDeadline } from 'dray/internal/database/deadline.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { canAsk, confirmed } from './confirmed.ts'
import { commandFor, isLocal } from './environment.ts'
import { count, plural } from './format.ts'
import type { CommonOptions } from './verb.ts'

/** A range of more rows is asked about. */
export const MOST_UNASKED = 100_000

/** A count that takes longer tells as much: there are many. */
const COUNT_MS = 10_000

export interface BackfillRange extends CommonOptions {
  readonly from: string
  readonly to: string
  readonly chunk: string
  readonly yes?: boolean
}

/** Throws `Configuration` where the rows are many, or not counted, and nobody says that they are to be loaded. */
export async function confirmBackfill(
  name: string,
  options: BackfillRange,
  pipeline: () => Promise<Pipeline>,
): Promise<void> {
  if (options.yes === true) return
  const rows = await countedRows(options, pipeline)
  if (typeof rows === 'number' && rows <= MOST_UNASKED) return
  const { from, to } = options
  const said = `${name} has ${typeof rows === 'number' ? plural(rows, 'row') : 'rows that could not be counted'} from ${from} to ${to}`
  const why = typeof rows === 'number' ? '' : ` (${rows})`
  if (options.json !== true && canAsk() && (await confirmed(`${said}${why}. Load them again?`))) return
  throw new ConfigurationError(
    `${said}${why}, and more than ${count(MOST_UNASKED)} are loaded when somebody says so, so nothing was started; \`${command(name, options)}\` loads them.`,
  )
}

/** Or why they are not known, as of databases that only an environment's network reaches. */
async function countedRows(options: BackfillRange, pipeline: () => Promise<Pipeline>): Promise<number | string> {
  const { rowsOfRange } = await import('dray/internal/pipeline/plan/backfill.ts')
  const { closeDatabases } = await import('dray/internal/active-record/database.ts')
  const deadline = AbortSignal.timeout(COUNT_MS)
  const { from, to } = options
  try {
    return await withDeadline(deadline, async () => rowsOfRange((await pipeline()).extract, { from, to }, deadline))
  } catch (error) {
    if (isLocal(options) && (error as Error).name === 'Configuration') throw error
    return deadline.aborted ? `not within ${COUNT_MS / 1000} s` : (error as Error).message
  } finally {
    await closeDatabases()
  }
}

function command(name: string, options: BackfillRange): string {
  const { from, to, chunk } = options
  const given = Object.entries({ from, to, chunk }).map(([option, text]) => `--${option} ${quoted(text)}`)
  return commandFor(options, `dray backfill ${[quoted(name), ...given].join(' ')} --yes`)
}

function quoted(text: string): string {
  return /^[\w./:,+~-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
