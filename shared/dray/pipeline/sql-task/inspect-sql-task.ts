import { type RawBuilder, sql } from 'kysely'
import type { Text } from '#dray/block/block.ts'
import type { QueryOptions } from '#dray/database/adapter.ts'
import { type Checked, found } from '#dray/database/health.ts'
import { compile } from '#dray/database/statement.ts'
import { TransientError } from '#dray/errors.ts'
import { prepareTask } from '#dray/pipeline/checks/check-task.ts'
import type { SqlTask } from '#dray/pipeline/declare/task.ts'
import { readMark } from '#dray/pipeline/landing/mark.ts'
import type { Services } from '../services.ts'
import { refuseTable, refuseUnfitting } from './prepare-table.ts'
import { taskSql } from './task-sql.ts'
import { startingPoint } from './window.ts'

/** A count that takes longer is given up. */
const COUNTED_WITHIN_MS = 10_000

/** What the next run of a task would do. */
export interface SqlTaskPlan {
  readonly reads: readonly string[]
  readonly writes: string
  /** Null for all rows. */
  readonly from: string | null
  readonly lastRun: string | null
  readonly holder: string | null
  /** Rows that the SELECT has now; null where counting them takes long. */
  readonly rows: number | null
  readonly notes: readonly string[]
}

/** Looks at what the next run would do; reads alone. Throws `Configuration` where the SELECT does not fit. */
export async function planSqlTask(task: SqlTask, { state, signal }: Services): Promise<SqlTaskPlan> {
  const { name, work, reads } = task
  await refuseUnfitting(task)
  const { database, definition } = work.into
  const isMissing = await database.withConnection(
    async (connection) => (await connection.describe(definition.table)) === null,
  )
  const known = await state.pipeline(name)
  const lastRun = known?.lastRun ?? null
  const mark =
    work.isWindowed && !isMissing ? await readMark({ name, load: { target: work.into } }, known ?? NEVER) : null
  const start = work.isWindowed ? startingPoint(task, { lastRun, mark, isMade: isMissing }) : NOWHERE
  const rows = await countRows(task, start.from, signal)
  return {
    reads: reads.map(({ definition: { database: from, table } }) => `${from}.${table}`),
    writes: `${definition.database}.${definition.table}`,
    from: start.from,
    lastRun,
    holder: known?.leaseOwner ?? null,
    rows,
    notes: [
      ...(isMissing ? [`the next run makes the table ${definition.database}.${definition.table}`] : []),
      ...(start.note === null ? [] : [start.note]),
      ...(rows === null ? [`the rows of the SELECT take more than ${COUNTED_WITHIN_MS / 1000} s to count`] : []),
    ],
  }
}

/**
 * Holds the SELECT, `into` and the checks against the database, and changes nothing; throws as a run would. Where runs
 * make tables, one that is missing only keeps it from being looked at.
 */
export async function examineSqlTask(
  task: SqlTask,
  { makesTargets }: { readonly makesTargets: boolean },
): Promise<readonly Checked[]> {
  const { into, query } = task.work
  const { definition } = into
  const tables = [definition, ...query.tables.filter((one) => one.query === undefined)].map(({ table }) => table)
  const missing = await into.database.withConnection(async (connection) => {
    const found = []
    for (const table of new Set(tables)) if ((await connection.describe(table)) === null) found.push(table)
    return found
  })
  const unread = makesTargets ? missing.filter((table) => table !== definition.table) : []
  if (unread.length > 0) {
    const said = `${unread.join(', ')} of ${definition.database} ${unread.length === 1 ? 'is' : 'are'} not there yet, so the SELECT was not looked at; run first what writes it`
    return [found('select', 'unknown', said)]
  }
  await refuseUnfitting(task)
  if (!missing.includes(definition.table)) {
    await refuseTable(task)
    await prepareTask(task)
  }
  return [found('select', 'ok', `its SELECT fits ${definition.database}.${definition.table}`)]
}

const NEVER = { lastRun: null, commitEpoch: 0 }
const NOWHERE = { from: null, note: null }

async function countRows(task: SqlTask, from: string | null, signal: AbortSignal): Promise<number | null> {
  const limit = AbortSignal.timeout(COUNTED_WITHIN_MS)
  try {
    const { rows } = await ask(task, from, (query) => sql`select count(*) from (${query}\n) dray_query`, {
      signal: AbortSignal.any([signal, limit]),
    })
    return Number(rows[0]?.[0])
  } catch (error) {
    if (limit.aborted && !signal.aborted && error instanceof TransientError) return null
    throw error
  }
}

/** The first rows that the SELECT of the next run has. */
export async function previewSqlTask(
  task: SqlTask,
  limit: number,
  { state, signal }: Services,
): Promise<{ readonly columns: readonly string[]; readonly rows: readonly (readonly Text[])[] }> {
  await refuseUnfitting(task)
  const from = (await state.pipeline(task.name))?.lastRun ?? null
  return ask(task, from, (query) => sql`select * from (${query}\n) dray_query limit ${sql.raw(String(limit))}`, {
    signal,
  })
}

/** In one state of the warehouse, in which nothing is written. */
function ask(
  { work }: SqlTask,
  from: string | null,
  statement: (query: RawBuilder<unknown>) => RawBuilder<unknown>,
  options: QueryOptions,
) {
  const { database } = work.into
  return database.transaction(
    () =>
      database.withConnection(async (connection, adapter) => {
        const query = await taskSql(work, work.isWindowed ? from : null, connection, adapter)
        const { sql: text, parameters } = compile(adapter, statement(query))
        return connection.query(text, parameters, options)
      }),
    'snapshot',
  )
}
