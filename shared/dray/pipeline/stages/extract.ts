import { type RawBuilder, sql } from 'kysely'
import { columnName, readColumn, tableName, where } from '#dray/active-record/sql.ts'
import { columnOf, kindsOf } from '#dray/active-record/table-definition.ts'
import { withDeadline } from '#dray/database/deadline.ts'
import { compile } from '#dray/database/statement.ts'
import { formats } from '#dray/messages/formats.ts'
import type { ExtractInput, TransformInput } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { checkUnchanged } from '#dray/pipeline/plan/contract.ts'
import { type Partition, partitionConditions } from '#dray/pipeline/plan/partitions.ts'
import { sourceTable, sourceTableOf } from '#dray/pipeline/plan/source-table.ts'
import { withKeys } from '#dray/pipeline/plan/staged-keys.ts'
import { readPlan } from '#dray/pipeline/plan/staged-plan.ts'
import { batchPrefix } from '#dray/staging/keys.ts'
import type { Services } from '../services.ts'
import { counted } from './counted-blocks.ts'

/** Reads a partition in one statement, and so in one snapshot, and stages its rows as the database's own text. */
export function extract(pipeline: Pipeline, input: ExtractInput, services: Services): Promise<TransformInput> {
  return withDeadline(services.signal, () => stagePartition(pipeline, input, services))
}

async function stagePartition(pipeline: Pipeline, input: ExtractInput, services: Services): Promise<TransformInput> {
  const planned = await readPlan(services, input.plan)
  const { source } = pipeline.extract
  const partition = await withKeys(planned.partitions[input.partition] as Partition, services)
  const output = { ...input, version: formats.message, ...(planned.open === undefined ? {} : { open: planned.open }) }
  // Rows from the quarantine are staged as if they had been read now.
  if (partition.kept !== undefined) return { ...output, extracted: partition.kept }
  const extracted = await source.database.withConnection(async (connection, adapter) => {
    const table =
      planned.schema === undefined
        ? await sourceTable(pipeline.extract, connection, adapter)
        : sourceTableOf(pipeline.extract, planned.schema.source, adapter)
    const { sql: text, parameters } = compile(
      adapter,
      selection(pipeline, partitionConditions(pipeline.extract, planned, partition, table), adapter),
    )
    const rows = connection.copyOut(text, parameters, {
      signal: services.signal,
      keepDamaged: kindsOf(source.definition.columns),
    })
    const staged = await services.staging.write(
      batchPrefix('extracted', { run: input.run.id, pipeline: pipeline.name, partition: input.partition }),
      { format: 'copy-text', columns: source.definition.columnNames },
      counted(rows, (count) =>
        services.progress({ pipeline: pipeline.name, partition: input.partition, phase: 'extract', rows: count }),
      ),
      { signal: services.signal },
    )
    await checkUnchanged(pipeline, 'source', planned.schema, connection)
    return staged
  })
  return { ...output, extracted }
}

function selection(
  pipeline: Pipeline,
  conditions: readonly RawBuilder<unknown>[],
  adapter: Parameters<typeof compile>[0],
): Parameters<typeof compile>[1] {
  const { source, cursor } = pipeline.extract
  const { definition } = source
  // Where a key comes twice, the last row wins: by cursor, then by key.
  const order =
    cursor === null
      ? []
      : [columnOf(definition, cursor.name), ...definition.primaryKey].map((column) => columnName(column))
  const orderBy = order.length === 0 ? sql`` : sql` order by ${sql.join(order)}`
  return sql`select ${sql.join(definition.columns.map((column) => readColumn(adapter, column)))} from ${tableName(definition)}${where(conditions)}${orderBy}`
}
