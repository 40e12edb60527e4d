import { TransientError } from '#dray/errors.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import { type Estimate, estimate } from '#dray/pipeline/plan/capacity.ts'
import type { PreparedTable } from '#dray/pipeline/replica/prepared-table.ts'
import { draftRun, startOfRun } from '#dray/pipeline/stages/draft-run.ts'
import type { Services } from '../services.ts'
import { type FoundTable, replicaTables, together } from './replica-tables.ts'

/** A table of a replica as the next run would replicate it. */
export interface PlannedTable extends FoundTable {
  readonly lastRun: string | null
  /** Until when what has changed is read; null where all rows are. */
  readonly until: string | null
  /** Those that would be read: of a whole table as its catalogue says; null where that does not know. */
  readonly rowsToRead: number | null
  readonly needs: Estimate
  /** What is to be known of it beside what `prepared` says. */
  readonly notes: readonly string[]
}

export interface PlannedReplica {
  /** The largest first. */
  readonly tables: readonly PlannedTable[]
  readonly notes: readonly string[]
  /** The run that holds the replica now. */
  readonly holder: string | null
  /** Of one run, on AWS. */
  readonly seconds: number
  readonly usDollars: number
}

/** A large table whose rows its catalogue does not know is reckoned by its bytes, with rows of so many. */
const ROW_BYTES = 100
const LARGE = 256 * 1024 ** 2

/** What the next run of a replica would do with each of its tables. Takes no lease and changes nothing. */
export async function planReplica(replica: Replica, services: Services): Promise<PlannedReplica> {
  const { tables: found, notes } = await replicaTables(replica, services.signal, services.state)
  const tables = await together(found, (table) => planned(replica, table, services))
  const works = tables.filter(({ prepared }) => prepared !== null)
  return {
    tables,
    notes,
    holder: (await services.state.pipeline(replica.name))?.leaseOwner ?? null,
    seconds: secondsOf(
      works.map(({ needs }) => needs.seconds),
      replica.tablesAtOnce,
    ),
    usDollars: works.reduce((sum, { needs }) => sum + needs.runCost, 0),
  }
}

async function planned(replica: Replica, table: FoundTable, services: Services): Promise<PlannedTable> {
  const { prepared } = table
  const known = await services.state.pipeline(table.step)
  const lastRun = known?.lastRun ?? null
  const whole = await rowsOf(table)
  const all = { ...table, rows: table.rows ?? whole, lastRun, until: null, rowsToRead: whole, notes: [] }
  if (prepared === null) return { ...all, needs: needsOf(replica, whole, undefined) }
  const { partitionRows } = prepared.pipeline.extract
  try {
    const copy = await prepared.lookAtCopy()
    if (prepared.table.cursor === null || lastRun === null) {
      return { ...all, notes: copy, needs: needsOf(replica, whole, partitionRows) }
    }
    const { rows, until, notes } = await changed(prepared, known, services)
    return { ...all, until, rowsToRead: rows, notes: [...copy, ...notes], needs: needsOf(replica, rows, partitionRows) }
  } catch (error) {
    if (error instanceof TransientError) throw error
    return { ...all, prepared: null, refused: (error as Error).message, needs: needsOf(replica, 0, partitionRows) }
  }
}

/** A catalogue does not know them of a view, nor before the server has looked at a table; a small one is counted. */
async function rowsOf({ rows, bytes, prepared }: FoundTable): Promise<number | null> {
  if (rows !== null) return rows
  if (bytes !== null && bytes > LARGE) return Math.round(bytes / ROW_BYTES)
  return bytes === null || prepared === null ? null : prepared.pipeline.extract.source.count()
}

async function changed(
  { pipeline }: PreparedTable,
  known: Awaited<ReturnType<Services['state']['pipeline']>>,
  services: Services,
) {
  const start = await startOfRun(pipeline, null, known, services)
  const from = { id: 'plan', lastRun: start.from, seen: start.seen }
  const { rows, window, notes } = await draftRun(pipeline, null, from, services)
  return { rows, until: window?.hi ?? null, notes: [...start.notes, ...notes] }
}

function needsOf({ concurrency }: Replica, rows: number | null, partitionRows: number | undefined): Estimate {
  return estimate({ rows: rows ?? 0, concurrency, ...(partitionRows === undefined ? {} : { partitionRows }) })
}

/** So many at once, the largest first: each one takes the lane that is free first. */
function secondsOf(tables: readonly number[], lanes: number): number {
  const ends = Array.from({ length: Math.max(1, lanes) }, () => 0)
  for (const seconds of tables) {
    const first = ends.indexOf(Math.min(...ends))
    ends[first] = (ends[first] as number) + seconds
  }
  return Math.max(...ends)
}
