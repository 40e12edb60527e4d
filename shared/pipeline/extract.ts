import { sql } from 'kysely'
import { columnName, compile, readColumn, tableName, where } from '#shared/active-record/sql.ts'
import { columnOf } from '#shared/active-record/table-definition.ts'
import type { Block } from '#shared/staging/staging-store.ts'
import type { ExtractInput, TransformInput } from './events.ts'
import type { Pipeline } from './pipeline.ts'
import { type KeyRange, type Plan, rangeConditions, readPlan, stagingPrefix, windowCondition } from './plan.ts'
import type { Services } from './services.ts'

/** Reads a partition in one statement, and so in one snapshot, and stages its rows as the database's own text. */
export async function extract(pipeline: Pipeline, input: ExtractInput, services: Services): Promise<TransformInput> {
  const planned = await readPlan(services, input.plan)
  const { source } = pipeline.extract
  const extracted = await source.database.withConnection(async (connection, adapter) => {
    const { sql: text, parameters } = compile(adapter, selection(pipeline, planned, input.partition, adapter))
    const rows = connection.copyOut(text, parameters, { signal: services.signal })
    return services.staging.write(
      `${stagingPrefix(input.run.id, pipeline.name)}/${input.partition}/extracted`,
      { format: 'copy-text', columns: source.definition.columnNames },
      counted(rows, (count) =>
        services.progress({ pipeline: pipeline.name, partition: input.partition, phase: 'extract', rows: count }),
      ),
      { signal: services.signal },
    )
  })
  return { ...input, extracted }
}

function selection(
  pipeline: Pipeline,
  planned: Plan,
  partition: number,
  adapter: Parameters<typeof compile>[0],
): Parameters<typeof compile>[1] {
  const { source, cursor } = pipeline.extract
  const { definition } = source
  const conditions = rangeConditions(pipeline.extract, planned.partitions[partition] as KeyRange, adapter)
  if (planned.window !== null) conditions.push(windowCondition(pipeline.extract, planned.window, adapter))
  // Where a key comes twice, the last row wins: by cursor, then by key.
  const order =
    cursor === null
      ? []
      : [columnOf(definition, cursor.name), ...definition.primaryKey].map((column) => columnName(column))
  const orderBy = order.length === 0 ? sql`` : sql` order by ${sql.join(order)}`
  return sql`select ${sql.join(definition.columns.map((column) => readColumn(adapter, column)))} from ${tableName(definition)}${where(conditions)}${orderBy}`
}

/** Tells how many rows have passed. */
export async function* counted(
  blocks: AsyncIterable<Block> | Iterable<Block>,
  tell: (rows: number) => void,
): AsyncGenerator<Block> {
  let rows = 0
  for await (const block of blocks) {
    yield block
    rows += block.rows
    tell(rows)
  }
}
