import { type RawBuilder, sql } from 'kysely'
import type { Adapter, Connection } from '#shared/active-record/adapter.ts'
import { ConfigurationError, TerminalError } from '#shared/active-record/index.ts'
import { after, columnName, compile, tableName, upTo, where } from '#shared/active-record/sql.ts'
import { columnOf, textFor } from '#shared/active-record/table-definition.ts'
import { readJson, writeJson } from '#shared/staging/documents.ts'
import type { StagedObject } from '#shared/staging/staging-store.ts'
import type { Lease } from '#shared/state/state-store.ts'
import type { PlanInput, PlanOutput } from './events.ts'
import { prepareLedger, raiseFence } from './ledger.ts'
import type { Extraction, Pipeline } from './pipeline.ts'
import type { Services } from './services.ts'

/** A Map state takes its items in one payload: more partitions would not fit. */
const MOST_PARTITIONS = 500
/** A lease outlives the longest run that is expected; the fence, not the lease, keeps an overtaken run from writing. */
const LEASE_MS = 6 * 3600 * 1000

/** `[lo, hi)` of the cursor, as the source's text. */
export interface Window {
  readonly lo: string | null
  readonly hi: string
  /** False when other transactions could not be seen and `hi` rests on the lag alone. */
  readonly exact: boolean
  readonly note: string | null
}

/** A range of the primary key: behind `after`, up to and with `upTo`; null where it is open. */
export interface KeyRange {
  readonly after: readonly string[] | null
  readonly upTo: readonly string[] | null
}

/** What a run of a pipeline will read; staged, so that every step and a resumed run work from the same. */
export interface Plan {
  readonly pipeline: string
  readonly runId: string
  readonly epoch: number
  readonly version: number
  readonly window: Window | null
  /** Rows in the window when the plan was made. */
  readonly rows: number
  readonly partitions: readonly KeyRange[]
  readonly startedAt: number
}

export function stagingPrefix(runId: string, pipeline: string): string {
  return `runs/${runId}/${pipeline}`
}

export function readPlan(services: Services, plan: StagedObject): Promise<Plan> {
  return readJson<Plan>(services.staging, plan, { signal: services.signal })
}

/**
 * Takes the lease, raises the fence in the target, fixes the window and cuts it into partitions.
 * Throws `LeaseHeld` when another run holds the pipeline, `Terminal` when a model does not fit its live table.
 */
export async function plan(pipeline: Pipeline, input: PlanInput, services: Services): Promise<PlanOutput> {
  const { state, now } = services
  const startedAt = now()
  await state.startRun({
    id: input.run.id,
    workflow: input.run.workflow,
    startTime: Date.parse(input.run.started_at),
    runner: services.runner,
    trigger: input.run.trigger,
  })
  const lease = await state.acquireLease(pipeline.name, input.run.id, now(), now() + LEASE_MS)
  await refuseEndedRun(pipeline, input.run.id, services)
  await checkModels(pipeline)
  const target = pipeline.load.target.database
  await prepareLedger(target)
  await raiseFence(target, pipeline.name, lease.epoch, input.run.id)
  const made = await makePlan(pipeline, lease, input.run.id, startedAt, services)
  if (made.window?.note) services.log.warn(made.window.note, { window: made.window })
  services.progress({ pipeline: pipeline.name, partition: null, phase: 'plan', rows: made.rows })
  const staged = await writeJson(services.staging, `${stagingPrefix(input.run.id, pipeline.name)}/plan`, made, {
    signal: services.signal,
  })
  return {
    plan: staged,
    epoch: lease.epoch,
    partitions: made.partitions.map((_, partition) => ({ partition })),
    concurrency: pipeline.concurrency,
  }
}

/**
 * A Plan delivered after its run has ended takes a lease that nobody would give back. Finish ends the run first and gives leases
 * back then, so one of the two sees the other.
 */
async function refuseEndedRun(pipeline: Pipeline, runId: string, { state }: Services): Promise<void> {
  const status = (await state.run(runId))?.run.status
  if (status === undefined || status === 'running') return
  await state.releaseLease(pipeline.name, runId)
  throw new TerminalError(
    `${pipeline.name}: run ${runId} has ended (${status}) and this Plan came late, so nothing was planned; start another run if there is something to load`,
  )
}

async function checkModels(pipeline: Pipeline): Promise<void> {
  const differences = [...(await pipeline.extract.source.checkSchema()), ...(await pipeline.load.target.checkSchema())]
  if (differences.length === 0) return
  throw new TerminalError(
    `${pipeline.name}: the models do not fit the databases, so nothing was read: ${differences.map(({ message }) => message).join('; ')}`,
  )
}

async function makePlan(
  pipeline: Pipeline,
  lease: Lease,
  runId: string,
  startedAt: number,
  services: Services,
): Promise<Plan> {
  const { source, cursor, partitionRows } = pipeline.extract
  return source.database.withConnection(async (connection, adapter) => {
    const window = cursor === null ? null : await settledWindow(connection, cursor.lagSeconds, lease.lastRun)
    if (window !== null) await checkNullCursors(pipeline, connection, adapter)
    const conditions = window === null ? [] : [windowCondition(pipeline.extract, window, adapter)]
    const from = sql`${tableName(source.definition)}${where(conditions)}`
    const count = compile(adapter, sql`select count(*) from ${from}`)
    const rows = Number((await connection.query(count.sql, count.parameters, { signal: services.signal })).rows[0]?.[0])
    const partitions = await cut(pipeline.extract, connection, adapter, from, rows, partitionRows)
    return {
      pipeline: pipeline.name,
      runId,
      epoch: lease.epoch,
      version: lease.version,
      window,
      rows,
      partitions,
      startedAt,
    }
  })
}

async function settledWindow(connection: Connection, lagSeconds: number, lastRun: string | null): Promise<Window> {
  const { until, exact, reason } = await connection.settledUntil(lagSeconds)
  // An open transaction older than the last window holds the bound back: then there is nothing settled to read yet.
  const hi = lastRun !== null && until < lastRun ? lastRun : until
  const note = exact
    ? null
    : `the window ends ${lagSeconds} s before now: ${reason ?? 'open transactions cannot be seen'}`
  return { lo: lastRun, hi, exact, note }
}

/** The rows of a window. */
export function windowCondition(extraction: Extraction, window: Window, adapter: Adapter): RawBuilder<unknown> {
  const { cursor, source } = extraction
  const column = columnOf(source.definition, cursor?.name ?? '')
  const hi = sql`${columnName(column)} < ${textFor(adapter.dialect, column, window.hi)}`
  const within =
    window.lo === null ? hi : sql`${columnName(column)} >= ${textFor(adapter.dialect, column, window.lo)} and ${hi}`
  return cursor?.nulls === 'include' ? sql`((${within}) or ${columnName(column)} is null)` : sql`(${within})`
}

async function checkNullCursors(pipeline: Pipeline, connection: Connection, adapter: Adapter): Promise<void> {
  const { source, cursor } = pipeline.extract
  if (cursor === null || cursor.nulls !== 'error') return
  const column = columnOf(source.definition, cursor.name)
  const statement = compile(
    adapter,
    sql`select count(*) from ${tableName(source.definition)} where ${columnName(column)} is null`,
  )
  const rows = Number((await connection.query(statement.sql, statement.parameters)).rows[0]?.[0])
  if (rows === 0) return
  throw new TerminalError(
    `${pipeline.name}: ${rows} rows of ${source.definition.database}.${source.definition.table} have no ${column.column}, so no window would ever hold them and nothing was read; fill it in, or say nulls: 'include' (read them in each run) or 'exclude'`,
  )
}

/** Cuts the rows into ranges of the primary key of about the same size. */
async function cut(
  extraction: Extraction,
  connection: Connection,
  adapter: Adapter,
  from: RawBuilder<unknown>,
  rows: number,
  partitionRows: number,
): Promise<KeyRange[]> {
  if (!(partitionRows >= 1)) throw new ConfigurationError(`partitionRows is ${partitionRows}; it must be 1 or more`)
  const key = extraction.source.definition.primaryKey
  const size = Math.ceil(Math.max(partitionRows, rows / MOST_PARTITIONS))
  if (key.length === 0 || rows <= size) return [{ after: null, upTo: null }]
  const names = sql.join(key.map(columnName))
  const statement = compile(
    adapter,
    sql`select ${names} from (select ${names}, row_number() over (order by ${names}) as ${sql.id('dray_n')} from ${from}) as ${sql.id('dray_keys')} where ${sql.id('dray_n')} % ${sql.raw(String(size))} = 0 and ${sql.id('dray_n')} < ${sql.raw(String(rows))} order by ${sql.id('dray_n')}`,
  )
  const { rows: bounds } = await connection.query(statement.sql, statement.parameters)
  const inner = bounds.filter((bound) => bound.every((text) => text !== null)) as string[][]
  return [...inner, null].map((bound, index) => ({ after: inner[index - 1] ?? null, upTo: bound }))
}

/** The rows of a range. The first one takes the keys that have a NULL, and no other does, so that each row is in one. */
export function rangeConditions(extraction: Extraction, range: KeyRange, adapter: Adapter): RawBuilder<unknown>[] {
  const key = extraction.source.definition.primaryKey
  const conditions: RawBuilder<unknown>[] = []
  if (range.after !== null) {
    conditions.push(after(adapter, key, range.after), ...key.map((column) => sql`${columnName(column)} is not null`))
  }
  if (range.upTo !== null) {
    const bounded = upTo(adapter, key, range.upTo)
    const missing = key.map((column) => sql`${columnName(column)} is null`)
    conditions.push(range.after === null ? sql`(${sql.join([bounded, ...missing], sql` or `)})` : bounded)
  }
  return conditions
}
