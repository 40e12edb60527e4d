import { type RawBuilder, sql } from 'kysely'
import { columnName, readColumn, tableName, where } from '#dray/active-record/sql.ts'
import { kindsOf } from '#dray/active-record/table-definition.ts'
import type { Connection } from '#dray/database/adapter.ts'
import { withDeadline } from '#dray/database/deadline.ts'
import { RowTooLarge } from '#dray/database/row-too-large.ts'
import { compile } from '#dray/database/statement.ts'
import { formats } from '#dray/messages/formats.ts'
import { sumOfSpent } from '#dray/messages/spent.ts'
import type { ExtractInput, TransformInput } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { checkUnchanged, type PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import { cursorValue } from '#dray/pipeline/plan/cursor-value.ts'
import { type Partition, partitionConditions } from '#dray/pipeline/plan/partitions.ts'
import { type SourceTable, sourceTable, sourceTableOf } from '#dray/pipeline/plan/source-table.ts'
import { withKeys } from '#dray/pipeline/plan/staged-keys.ts'
import { type Plan, pipelineOf, readPlan, type Unit } from '#dray/pipeline/plan/staged-plan.ts'
import { RowSizes } from '#dray/pipeline/rows/large-values.ts'
import { batchPrefix } from '#dray/staging/keys.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import { counted } from './counted-blocks.ts'
import { paced } from './paced-blocks.ts'

/** Reads a partition in one statement, and so in one snapshot, and stages its rows as the database's own text. */
export function extract(unit: Unit, input: ExtractInput, services: Services): Promise<TransformInput> {
  return withDeadline(services.signal, () => stagePartition(unit, input, services))
}

async function stagePartition(unit: Unit, input: ExtractInput, services: Services): Promise<TransformInput> {
  const planned = await readPlan(services, input.plan)
  const pipeline = pipelineOf(unit, planned)
  const { source } = pipeline.extract
  const partition = await withKeys(planned.partitions[input.partition] as Partition, services)
  const output = { ...input, version: formats.message, ...(planned.open === undefined ? {} : { open: planned.open }) }
  const spent = () => sumOfSpent([services.spent?.()])
  // Rows from the quarantine are staged as if they had been read now.
  if (partition.kept !== undefined) return { ...output, extracted: partition.kept, ...spent() }
  const stage = (read: Reader) =>
    source.database.withConnection(async (connection, adapter) => {
      const table =
        planned.schema === undefined
          ? await sourceTable(pipeline.extract, connection, adapter)
          : await sourceTableOf(pipeline.extract, planned.schema.source, connection, adapter)
      const gone = await goneColumns(planned, input, connection, source.definition.table)
      const all = read({ pipeline, connection, table, gone, signal: services.signal }, [
        ...partitionConditions(pipeline.extract, planned, partition, table),
      ])
      const rows = paced(all, rateOfPartition(pipeline, planned.partitions.length), services.signal)
      const staged = await services.staging.write(
        batchPrefix('extracted', { run: input.run.id, pipeline: pipeline.name, partition: input.partition }),
        { format: 'copy-text', columns: source.definition.columnNames },
        counted(rows, (count) =>
          services.progress({ pipeline: pipeline.name, partition: input.partition, phase: 'extract', rows: count }),
        ),
        { signal: services.signal },
      )
      await checkUnchanged(pipeline, 'source', without(planned.schema, gone), connection)
      return staged
    })
  let isPlain = true
  const extracted = await stage(plainRows).catch((error: unknown) => {
    if (!(error instanceof RowTooLarge)) throw error
    isPlain = false
    services.log.info('asks for the length of each value', { pipeline: pipeline.name, partition: input.partition })
    return source.database.transaction(() => stage(measuredRows), 'snapshot')
  })
  return { ...output, extracted, ...(isPlain ? { plain: true as const } : {}), ...spent() }
}

/** Partitions at once share what a run may read. */
function rateOfPartition({ extract: { maxRowsPerSecond }, concurrency }: Pipeline, partitions: number): number | null {
  return maxRowsPerSecond === null ? null : maxRowsPerSecond / Math.max(1, Math.min(concurrency, partitions))
}

interface Reading {
  readonly pipeline: Pipeline
  readonly connection: Connection
  readonly table: SourceTable
  /** Columns that the plan takes over, and that the table has no more: NULL is read of them. */
  readonly gone: ReadonlySet<string>
  readonly signal: AbortSignal
}

/**
 * The columns that no model knows, and that were dropped since the run was planned which this one resumes. Its plan
 * stays as it is, and an append has to come to its end by it: each later run would resume it.
 */
async function goneColumns(planned: Plan, { run }: ExtractInput, connection: Connection, table: string) {
  const followed = planned.runId === run.id ? [] : (planned.columns ?? [])
  if (followed.length === 0) return new Set<string>()
  const live = await connection.describe(table)
  const names = followed.map(({ source }) => source.column)
  return new Set(names.filter((name) => !live?.columns.some((column) => column.name === name)))
}

function without(schema: PlannedSchema | undefined, gone: ReadonlySet<string>): PlannedSchema | undefined {
  return schema && { ...schema, source: schema.source.filter(({ name }) => !gone.has(name)) }
}

type Conditions = readonly RawBuilder<unknown>[]
type Reader = (reading: Reading, conditions: Conditions) => AsyncIterable<Block>

/** The rows as they are; throws `RowTooLarge` for one that may not be held. */
function plainRows(reading: Reading, conditions: Conditions): AsyncIterable<Block> {
  return copied(reading, selection(reading, conditions), reading.pipeline.limits.valueBytes)
}

/** The same rows, large ones without the values that may not be held; in a transaction that reads one state. */
async function* measuredRows(reading: Reading, conditions: Conditions): AsyncGenerator<Block> {
  const { pipeline, table } = reading
  const sizes = new RowSizes(pipeline.extract.source.definition.columns, table, pipeline.limits)
  yield* copied(reading, selection(reading, [...conditions, sizes.fits]))
  for (const { condition, columns } of sizes.large) {
    yield* copied(reading, selection(reading, [...conditions, condition], columns))
  }
}

function copied(
  { pipeline, connection, table, signal }: Reading,
  selected: RawBuilder<unknown>,
  mostBytes?: number,
): AsyncIterable<Block> {
  const { sql: text, parameters } = compile(table.adapter, selected)
  const keepDamaged = kindsOf(pipeline.extract.source.definition.columns)
  return connection.copyOut(text, parameters, { signal, keepDamaged, mostBytes })
}

function selection(
  { pipeline, table: { adapter }, gone }: Reading,
  conditions: Conditions,
  read = pipeline.extract.source.definition.columns.map((column) =>
    gone.has(column.column) ? sql`null as ${columnName(column)}` : readColumn(adapter, column),
  ),
): RawBuilder<unknown> {
  const { source, cursor } = pipeline.extract
  const { definition } = source
  // Where a key comes twice, the last row wins: by cursor, then by key.
  const order =
    cursor === null ? [] : [cursorValue(pipeline.extract), ...definition.primaryKey.map((column) => columnName(column))]
  const orderBy = order.length === 0 ? sql`` : sql` order by ${sql.join(order)}`
  return sql`select ${sql.join(read)} from ${tableName(definition)}${where(conditions)}${orderBy}`
}
