import { LandedRows } from '#dray/active-record/table-definition.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { AnyModel } from './any-model.ts'

/**
 * In the SELECT of a task: true for the rows of a table that have landed since the task ran last, and for all of them
 * when it runs first. They are known by the table's `landed()` field. `alias` is what the SELECT calls the table.
 *
 * @example
 * sql`select … from ${TargetOrder}
 *   where customer_id in (select customer_id from ${TargetOrder} where ${landed(TargetOrder)})`
 */
export function landed({ definition }: AnyModel, alias: string | null = null): LandedRows {
  if (definition.landed !== null) return new LandedRows(definition, definition.landed, alias)
  const { database, table } = definition
  throw new ConfigurationError(
    `landed(): the model of ${database}.${table} has no field that says when a row was written, so what is new could not be told; add one, as loadedAt: timestamp().landed(), then \`npx dray schema plan\``,
  )
}
