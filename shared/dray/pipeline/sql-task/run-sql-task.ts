import type { Connection } from '#dray/database/adapter.ts'
import { DataQualityError, LeaseHeld, LeaseLost, TransientError } from '#dray/errors.ts'
import type { CheckResult } from '#dray/messages/check-result.ts'
import type { TaskInput } from '#dray/messages/stages.ts'
import { refuseFailed } from '#dray/pipeline/checks/check-pipeline.ts'
import { checkTask } from '#dray/pipeline/checks/check-task.ts'
import type { SqlTask } from '#dray/pipeline/declare/task.ts'
import { claimTable } from '#dray/pipeline/landing/claim.ts'
import { checkFence, ledgerOf } from '#dray/pipeline/landing/ledger.ts'
import { migrateTarget } from '#dray/pipeline/landing/migrate.ts'
import { raiseOver } from '#dray/pipeline/landing/raise-over.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import type { Lease } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { landSelected, type SelectedCounts } from './land-selected.ts'
import { enter, type LandedBefore, landedBefore } from './landed-before.ts'
import { prepareTable } from './prepare-table.ts'
import { taskSql } from './task-sql.ts'
import { settledUntil, startingPoint } from './window.ts'

/** A lease outlives the call that holds it; the fence, not the lease, keeps an overtaken one from writing. */
const LEASE_MS = 6 * 3600 * 1000
const BEYOND_CALL_MS = 60_000

/** What a run of the task came to. */
export interface SqlTaskRun extends SelectedCounts {
  readonly lastRunBefore: string | null
  readonly lastRunAfter: string | null
  readonly notes: readonly string[]
}

interface Run {
  readonly task: SqlTask
  readonly input: TaskInput
  readonly services: Services
  /** Told of what the checks have come to, also where they do not hold. */
  readonly onChecks: (results: readonly CheckResult[]) => void
}

/**
 * Runs a task that is SQL. What it writes, the mark up to which it has read and the entry that says so are one
 * transaction of the warehouse; `last_run` moves behind it. A second delivery finds the entry, and does nothing more.
 */
export async function runSqlTask(run: Run): Promise<SqlTaskRun> {
  const { task, input, services } = run
  const lease = await leaseOf(run)
  if (lease === null) return doneBefore(run)
  try {
    const done = await runUnder(run, lease)
    await services.state.commit(done.lease, done.lastRunAfter === done.lastRunBefore ? null : done.lastRunAfter)
    return done
  } catch (error) {
    // A retry takes it again; nobody has to wait for one that does not come.
    await services.state.releaseLease(task.name, input.run.id).catch(() => {})
    throw error
  }
}

/** Null when this run has committed the task already. */
async function leaseOf({ task, input, services }: Run): Promise<Lease | null> {
  const { state, now, timeLeft } = services
  const lasts = timeLeft === undefined ? LEASE_MS : Math.min(LEASE_MS, timeLeft() + BEYOND_CALL_MS)
  try {
    return await state.acquireLease(task.name, input.run.id, now(), now() + lasts)
  } catch (error) {
    if (error instanceof LeaseLost) return null
    if (!(error instanceof LeaseHeld)) throw error
    // Nobody follows a task up: this call is tried again.
    await state.takePending(task.name)
    throw new TransientError(
      `${task.name}: run ${error.owner} is at this task until ${new Date(error.expiresAt).toISOString()} at the latest, so it was not begun; tried again for a while, and \`npx dray resume ${input.run.id}\` does it later`,
      { cause: error },
    )
  }
}

async function doneBefore({ task, input, services }: Run): Promise<SqlTaskRun> {
  const last = (await services.state.pipeline(task.name))?.lastRun ?? null
  const { database } = task.work.into
  const found = await landedBefore(database, task.name, input.run.id)
  if (found !== null) return { ...found.counts, lastRunBefore: last, lastRunAfter: last, notes: found.notes }
  throw new DataQualityError(
    '',
    'no_entry',
    `${task.name}: run ${input.run.id} is committed, and the warehouse has no entry of it: it was restored, or is another one; run the task again`,
  )
}

async function runUnder(run: Run, taken: Lease): Promise<SqlTaskRun & { readonly lease: Lease }> {
  const { task, services } = run
  const { work, name } = task
  const { database } = work.into
  const isMade = await prepareTable(task)
  await migrateTarget(database)
  const { lease, fence, note } = await raiseOver(database, taken, services)
  const mark = await claimTable({ name, written: task.written, load: { target: work.into } }, fence)
  const start = work.isWindowed
    ? startingPoint(task, { lastRun: lease.lastRun, mark, isMade })
    : { from: null, note: null }
  const done = await inOneTransaction(run, lease, start.from)
  const notes = [note, start.note, ...done.notes].filter((one) => one !== null)
  for (const one of notes) services.log.warn(one, { pipeline: name })
  const lastRunAfter = work.isWindowed ? done.until : lease.lastRun
  return { ...done.counts, lastRunBefore: lease.lastRun, lastRunAfter, notes, lease }
}

async function inOneTransaction(run: Run, lease: Lease, from: string | null): Promise<LandedBefore> {
  const { task, input, services } = run
  const { work, name } = task
  const { database } = work.into
  const { signal } = services
  // Before any snapshot: what was open then is read again, and what had ended can be seen.
  const early = (await database.adapter()).numbersCommitInOrder ? null : await settledUntil(work)
  return database.transaction(async () => {
    await checkFence(database, name, lease.epoch, 'update')
    const before = await landedBefore(database, name, input.run.id)
    if (before !== null) return before
    const settled = early ?? (await settledUntil(work))
    const counts = await database.withConnection(async (connection: Connection, adapter) => {
      const query = await taskSql(work, from, connection, adapter)
      return landSelected({ name, work, query, runStartedAt: startOf(input.run) }, connection, adapter, { signal })
    })
    const checks = await checkTask(task, signal)
    run.onChecks(checks)
    refuseFailed(
      name,
      checks,
      `Nothing was written, and ${work.into.definition.table} is as it was: the first rows stand in \`npx dray runs show ${input.run.id}\`; mend them, then \`npx dray resume ${input.run.id}\``,
    )
    const landed = { counts, until: settled.until, notes: settled.notes }
    await enter(database, { pipeline: name, runId: input.run.id, epoch: lease.epoch }, landed)
    if (work.isWindowed) {
      const { Fence } = ledgerOf(database)
      await (await Fence.findBy({ pipeline: name }))?.assign({ mark: settled.until }).saveOrFail()
    }
    return landed
  })
}
