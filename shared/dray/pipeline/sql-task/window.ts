import { ConfigurationError } from '#dray/errors.ts'
import { secondsOf } from '#dray/pipeline/declare/duration.ts'
import type { SqlWork } from '#dray/pipeline/declare/sql-task.ts'
import type { SqlTask } from '#dray/pipeline/declare/task.ts'
import { compareInstants } from '#dray/pipeline/texts/instant.ts'
import { windowedTables } from './task-sql.ts'

/** Where open transactions cannot be seen, so long back is read once more. */
const UNSEEN = secondsOf('5m')

/**
 * Up to where everything that has landed can be seen: the next run reads from there on. Null where the SELECT reads no
 * window.
 */
export async function settledUntil(
  work: SqlWork,
): Promise<{ readonly until: string | null; readonly notes: readonly string[] }> {
  const settled = await work.into.database.withConnection(async (connection) => {
    const found = []
    for (const table of windowedTables(work))
      found.push(await connection.settledUntil(0, { unseenLagSeconds: UNSEEN, table }))
    return found
  })
  const [first, ...others] = settled.map(({ until }) => until)
  if (first === undefined) return { until: null, notes: [] }
  const until = others.reduce((least, one) => (compareInstants(one, least) < 0 ? one : least), first)
  const unseen = settled.find(({ exact }) => !exact)
  if (unseen === undefined) return { until, notes: [] }
  return {
    until,
    notes: [
      `the next run reads once more what has landed since ${unseen.lagSeconds} s before this one: ${unseen.reason ?? 'open transactions cannot be seen'}`,
    ],
  }
}

interface Known {
  readonly lastRun: string | null
  readonly mark: string | null
  /** The table was missing, and was made. */
  readonly isMade: boolean
}

/** From where on the SELECT reads: the older one of `last_run` and the mark of the warehouse. */
export function startingPoint(
  { name, work }: Pick<SqlTask, 'name' | 'work'>,
  { lastRun, mark, isMade }: Known,
): { readonly from: string | null; readonly note: string | null } {
  const { database, table } = work.into.definition
  if (isMade && (lastRun ?? mark) !== null) {
    return { from: null, note: `${database}.${table} was missing and was made anew, so all rows are read` }
  }
  if (lastRun === mark) return { from: lastRun, note: null }
  const from = lastRun === null || mark === null ? null : compareInstants(mark, lastRun) < 0 ? mark : lastRun
  const note = `last_run of ${name} is ${lastRun ?? 'not known'}, and ${database} has ${mark === null ? 'no mark of it' : `its mark at ${mark}`}: one of them was lost, set by hand or restored, so what has landed since ${from ?? 'ever'} is read`
  return { from, note }
}

/** Throws `Configuration` for a task that has no `last_run`. */
export function refuseWithoutWindow({ name, work }: Pick<SqlTask, 'name' | 'work'>): void {
  if (work.isWindowed) return
  throw new ConfigurationError(
    `${name} reads all rows in each run and has no last_run, so nothing was changed; with landed() in its SELECT it would have one.`,
  )
}
