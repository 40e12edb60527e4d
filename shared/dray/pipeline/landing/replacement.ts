import { sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import { columnName, tableName } from '#dray/active-record/sql.ts'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import { BORNE_DELETES } from '#dray/pipeline/declare/deletes-option.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { checkUnchanged, type PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import { closedBefore, recordClosing } from './closing.ts'
import { foreignKeysTo } from './foreign-keys.ts'
import { checkFence, ledgerOf } from './ledger.ts'
import { createNextTable, dropNextTable, nextTable } from './next-table.ts'

interface Run {
  readonly runId: string
  readonly epoch: number
}

/**
 * At Plan, behind the fence: makes the table in which the rows of a replace are gathered, and clears what a dead run
 * has left in it. What this run has landed already stays.
 */
export async function prepareReplacement(pipeline: Pipeline, run: Run): Promise<void> {
  const { database, definition } = pipeline.load.target
  const foreign = await foreignKeysTo(database, definition.table)
  if (foreign.length > 0) {
    // A table's own foreign key sees the rows of before until the swap, on some engines, and takes those along.
    const referring = [...new Set(foreign.map(({ table, isOwn }) => (isOwn ? 'the table itself' : table)))].join(', ')
    throw new TerminalError(
      `${pipeline.name}: ${definition.database}.${definition.table} cannot be replaced, since ${referring} refers to it by a foreign key: rows would be deleted, changed or refused, and nothing was read; load with upsert() and deletes: 'hard' instead, which leaves the rows that stay`,
    )
  }
  const guard = () => checkFence(database, pipeline.name, run.epoch, 'update')
  await createNextTable(database, definition.table, guard)
  await database.transaction(async () => {
    await guard()
    if (await hasLanded(pipeline, run.runId)) return
    await database.withConnection(async (connection, adapter) => {
      await connection.query(
        compile(adapter, sql`delete from ${tableName({ table: nextTable(definition.table) })}`).sql,
      )
    })
  })
}

async function hasLanded(pipeline: Pipeline, runId: string): Promise<boolean> {
  const { Entry } = ledgerOf(pipeline.load.target.database)
  return Entry.where({ pipeline: pipeline.name, runId }).exists()
}

/** At Commit: swaps the gathered rows in, in one transaction. `rows` is what the ledger knows to be there. */
export async function swapIn(
  pipeline: Pipeline,
  run: Run,
  { rows, schema }: { readonly rows: number; readonly schema: PlannedSchema | undefined },
): Promise<void> {
  const { database, definition } = pipeline.load.target
  const guard = () => checkFence(database, pipeline.name, run.epoch, 'update')
  if ((await closedBefore(database, pipeline.name, run.runId)) === null) {
    await database.transaction(async () => {
      await guard()
      if ((await closedBefore(database, pipeline.name, run.runId)) !== null) return
      const replaced = await exchange(pipeline, rows)
      await database.withConnection((connection) => checkUnchanged(pipeline, 'target', schema, connection))
      await recordClosing(database, { pipeline: pipeline.name, ...run }, { deleted: 0, replaced, notes: [] })
    })
  }
  // The rows are in: what is left of the work is dropped here, or used by the next Plan, whose work a late Commit must
  // not drop.
  await dropNextTable(database, definition.table, guard).catch(() => {})
}

async function exchange(pipeline: Pipeline, rows: number): Promise<number> {
  const { target, allowEmpty } = pipeline.load
  const { database, definition } = target
  const where = `${definition.database}.${definition.table}`
  return database.withConnection(async (connection, adapter) => {
    const [table, next] = [tableName(definition), tableName({ table: nextTable(definition.table) })]
    const run = (statement: Parameters<typeof compile>[1]) => connection.query(compile(adapter, statement).sql)
    const count = async (of: typeof table) => Number((await run(sql`select count(*) from ${of}`)).rows[0]?.[0])
    const gathered = await count(next)
    if (gathered !== rows) {
      throw new TerminalError(
        `${pipeline.name}: ${gathered} rows were gathered to replace those of ${where}, but the ledger knows of ${rows}, so the old ones stay; run the workflow again`,
      )
    }
    const old = await count(table)
    if (gathered === 0 && !allowEmpty && old > 0) {
      throw new TerminalError(
        `${pipeline.name}: the run has no row to load, and would leave ${where} empty, so its old rows stay; look at the source, or say replace(…, { allowEmpty: true }) when that may be`,
      )
    }
    refuseShrunk(pipeline, old, gathered)
    await run(sql`delete from ${table}`)
    const columns = sql.join(bulkColumns(definition).map(columnName))
    const overriding = sql.raw(adapter.overridingGenerated)
    const { affected } = await run(sql`insert into ${table} (${columns})${overriding} select ${columns} from ${next}`)
    if (affected !== gathered) {
      throw new TerminalError(
        `${pipeline.name}: ${affected} of ${gathered} rows came into ${where}, so nothing was replaced; look for a trigger or a rule on the table`,
      )
    }
    return affected
  })
}

/** A source that is half reloaded has few rows, and no error says so. */
function refuseShrunk({ name, load, extract }: Pipeline, old: number, gathered: number): void {
  if (gathered === 0 && load.allowEmpty) return
  const most = Math.max(BORNE_DELETES, Math.floor(old * load.most))
  if (old - gathered <= most) return
  const where = `${load.target.definition.database}.${load.target.definition.table}`
  const from = `${extract.source.definition.database}.${extract.source.definition.table}`
  throw new DataQualityError(
    '',
    'replace_threshold',
    `${name}: the run has ${gathered} rows to replace the ${old} of ${where}, which may lose ${most} at most, so its old rows stay; look whether ${from} is being reloaded, or raise replace(…, { most: … }) when that is right`,
  )
}
