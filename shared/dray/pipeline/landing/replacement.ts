import { sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import { columnName, readColumn, tableName } from '#dray/active-record/sql.ts'
import { kindsOf } from '#dray/active-record/table-definition.ts'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import { CHECK_FAILED } from '#dray/messages/check-result.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { type CommitInput, planningRun } from '#dray/messages/stages.ts'
import { BORNE_DELETES } from '#dray/pipeline/declare/deletes-option.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { checkUnchanged, type PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { writeJsonLines } from '#dray/staging/documents.ts'
import { gatheredPrefix, quarantinePrefix } from '#dray/staging/keys.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import { closedBefore, recordClosing } from './closing.ts'
import { foreignKeysTo } from './foreign-keys.ts'
import { checkFence, enterMoved, type LandedRun, ledgerOf, REFUSED_AT_SWAP, sumOfLedger } from './ledger.ts'
import { loadRows } from './load-rows.ts'
import { createNextTable, dropNextTable, nextTable } from './next-table.ts'
import { sourceRowsStored } from './rejected-rows.ts'

const SHRUNK = 'replace_threshold'

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
  await refuseReferring(pipeline)
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

/** Throws `Terminal` where rows of a table, of this one as well, refer to those that would be replaced. */
export async function refuseReferring(pipeline: Pipeline): Promise<void> {
  const { database, definition } = pipeline.load.target
  const foreign = await foreignKeysTo(database, definition.table)
  if (foreign.length > 0) {
    // A table's own foreign key sees the rows of before until the swap, on some engines, and takes those along.
    const referring = [...new Set(foreign.map(({ table, isOwn }) => (isOwn ? 'the table itself' : table)))].join(', ')
    throw new TerminalError(
      `${pipeline.name}: ${definition.database}.${definition.table} cannot be replaced, since ${referring} refers to it by a foreign key: rows would be deleted, changed or refused, and nothing was read; load with upsert() and deletes: 'hard' instead, which leaves the rows that stay`,
    )
  }
}

async function hasLanded(pipeline: Pipeline, runId: string): Promise<boolean> {
  const { Entry } = ledgerOf(pipeline.load.target.database)
  return Entry.where({ pipeline: pipeline.name, runId }).exists()
}

interface Swap {
  readonly pipeline: Pipeline
  readonly input: CommitInput
  readonly schema: PlannedSchema | undefined
  /** What the ledger knows to be gathered. */
  readonly landed: LandedRun
  /** When it throws, the old rows stay. */
  readonly inspection: {
    check(landed: LandedRun): void
    examine(landed: LandedRun): Promise<void>
  }
  readonly services: Services
}

/**
 * At Commit: swaps the gathered rows in, in one transaction. Where the table refuses some of them, which the one beside
 * it took (a trigger), those are quarantined and the others swapped in. Returns what the run has come to.
 */
export async function swapIn(swap: Swap): Promise<LandedRun> {
  const { pipeline, input, landed } = swap
  const { database, definition } = pipeline.load.target
  const guard = () => checkFence(database, pipeline.name, input.epoch, 'update')
  const before = await isClosed(swap)
  if (before) await swap.inspection.examine(landed)
  const swapped = before ? landed : await inOneTransaction(swap, guard)
  // The rows are in: what is left of the work is dropped here, or used by the next Plan, whose work a late Commit must
  // not drop.
  await dropNextTable(database, definition.table, guard).catch(() => {})
  return swapped
}

async function isClosed({ pipeline, input }: Swap): Promise<boolean> {
  return (await closedBefore(pipeline.load.target.database, pipeline.name, planningRun(input))) !== null
}

async function inOneTransaction(swap: Swap, guard: () => Promise<unknown>): Promise<LandedRun> {
  const { pipeline, input, schema, landed } = swap
  const { database } = pipeline.load.target
  const run = { pipeline: pipeline.name, runId: planningRun(input), epoch: input.epoch }
  const swapBy = (takeIn: (gathered: number) => Promise<LandedRun>) =>
    database.transaction(async () => {
      await guard()
      if (await isClosed(swap)) return sumOfLedger(database, pipeline.name, run.runId)
      const before = landed.inserted
      const { old, gathered } = await empty(pipeline, before)
      const sums = await takeIn(gathered)
      const replaced = gathered - (before - sums.inserted)
      refuseEmptied(pipeline, old, replaced)
      await database.withConnection((connection) => checkUnchanged(pipeline, 'target', schema, connection))
      await swap.inspection.examine(sums)
      await recordClosing(database, run, { deleted: 0, replaced, notes: [] })
      return sums
    })
  try {
    return await swapBy(async (gathered) => {
      await takeAll(pipeline, gathered)
      return landed
    })
  } catch (error) {
    // A constraint that is deferred refuses the COMMIT.
    const isOfRow = error instanceof DataQualityError && error.code !== SHRUNK && error.code !== CHECK_FAILED
    const isRefused = error instanceof RowsDropped || isOfRow
    if (!isRefused) throw error
  }
  return swapBy(() => takeEach(swap))
}

/** The table took some of the rows without an error, and did not write them, or under another key. */
class RowsDropped extends Error {}

/** Deletes the old rows, where those that are gathered may take their place. */
async function empty(pipeline: Pipeline, rows: number): Promise<{ readonly old: number; readonly gathered: number }> {
  const { database, definition } = pipeline.load.target
  return database.withConnection(async (connection, adapter) => {
    const [table, next] = [tableName(definition), tableName({ table: nextTable(definition.table) })]
    const run = (statement: Parameters<typeof compile>[1]) => connection.query(compile(adapter, statement).sql)
    const count = async (of: typeof table) => Number((await run(sql`select count(*) from ${of}`)).rows[0]?.[0])
    const gathered = await count(next)
    if (gathered !== rows) {
      throw new TerminalError(
        `${pipeline.name}: ${gathered} rows were gathered to replace those of ${definition.database}.${definition.table}, but the ledger knows of ${rows}, so the old ones stay; run the workflow again`,
      )
    }
    const old = await count(table)
    refuseEmptied(pipeline, old, gathered)
    refuseShrunk(pipeline, old, gathered)
    await run(sql`delete from ${table}`)
    return { old, gathered }
  })
}

async function takeAll({ load }: Pipeline, gathered: number): Promise<void> {
  const { database, definition } = load.target
  await database.withConnection(async (connection, adapter) => {
    const [table, next] = [tableName(definition), tableName({ table: nextTable(definition.table) })]
    const run = (statement: Parameters<typeof compile>[1]) => {
      const { sql: text, parameters } = compile(adapter, statement)
      return connection.query(text, parameters)
    }
    const written = bulkColumns(definition)
    const columns = sql.join(written.map(columnName))
    // They land now, and not when they were gathered.
    const values = sql.join(written.map((one) => (one === definition.landed ? sql.raw(adapter.now) : columnName(one))))
    const overriding = sql.raw(adapter.overridingGenerated)
    const { affected } = await run(sql`insert into ${table} (${columns})${overriding} select ${values} from ${next}`)
    if (affected !== gathered) throw new RowsDropped()
    const [first, ...others] = columnsOf(definition, load.by)
    if (first === undefined) return
    const { column, field } = first
    const changing = await run(adapter.schema.reasonsToChange(definition.table, column, field.settings.kind))
    if (changing.rows.length === 0) return
    const same = [first, ...others].map((one) => sql`dray_t.${columnName(one)} = dray_n.${columnName(one)}`)
    const lost = sql`select 1 from ${next} dray_n where not exists (select 1 from ${table} dray_t where ${sql.join(same, sql` and `)}) limit 1`
    if ((await run(lost)).rows.length > 0) throw new RowsDropped()
  })
}

/** Loads the gathered rows as an upsert does, and quarantines those that the table refuses. */
async function takeEach({ pipeline, input, landed, inspection, services }: Swap): Promise<LandedRun> {
  const { staging, signal } = services
  const gathered = await stageGathered(pipeline, input, services)
  const open = async function* (): AsyncGenerator<Block> {
    yield* (await staging.read(gathered, { signal })).blocks
  }
  const { rejected } = await loadRows(pipeline, { open, isWholeRun: false, isReplay: false, schema: undefined, signal })
  const refused = sourceRowsStored(pipeline, input, { landed: landed.landedRows, rejected }, services)
  await writeJsonLines(staging, quarantinePrefix(planningRun(input), pipeline.name), refused, { signal })
  const moved = {
    inserted: -rejected.length,
    updated: 0,
    unchanged: 0,
    duplicate: 0,
    quarantined: rejected.length,
    left: 0,
  }
  await enterMoved(pipeline, input, REFUSED_AT_SWAP, moved)
  const sums = {
    ...landed,
    inserted: landed.inserted - rejected.length,
    quarantined: landed.quarantined + rejected.length,
  }
  inspection.check(sums)
  return sums
}

function stageGathered(pipeline: Pipeline, input: CommitInput, { staging, signal }: Services): Promise<StagedObject> {
  const { database, definition } = pipeline.load.target
  const columns = bulkColumns(definition)
  return database.withConnection((connection, adapter) => {
    const next = tableName({ table: nextTable(definition.table) })
    const read = sql.join(columns.map((column) => readColumn(adapter, column)))
    const { sql: text, parameters } = compile(adapter, sql`select ${read} from ${next}`)
    return staging.write(
      gatheredPrefix(planningRun(input), pipeline.name),
      { format: 'copy-text', columns: columns.map(({ column }) => column) },
      connection.copyOut(text, parameters, { signal, keepDamaged: kindsOf(columns) }),
      { signal },
    )
  })
}

function refuseEmptied({ name, load }: Pipeline, old: number, rows: number): void {
  if (rows > 0 || load.allowEmpty || old === 0) return
  const { database, table } = load.target.definition
  throw new TerminalError(
    `${name}: the run has no row to load, and would leave ${database}.${table} empty, so its old rows stay; look at the source and the quarantine, or say replace(…, { allowEmpty: true }) when that may be`,
  )
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
    SHRUNK,
    `${name}: the run has ${gathered} rows to replace the ${old} of ${where}, which may lose ${most} at most, so its old rows stay; look whether ${from} is being reloaded, or raise replace(…, { most: … }) when that is right`,
  )
}
