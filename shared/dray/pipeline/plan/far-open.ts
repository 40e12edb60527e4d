import { sql } from 'kysely'
import { columnOf, valueToText } from '#dray/active-record/table-definition.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import type { LiveTable } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'

/**
 * Throws `Terminal` for a day that ends the current version of a history, and that its column cannot hold: a
 * `timestamp` of MySQL's ends in 2038. The database says it itself, of a row that it holds apart.
 */
export async function refuseFarOpen({ name, load }: Pipeline, live: LiveTable | null): Promise<void> {
  const { history, target } = load
  if (history === null || history.open === null) return
  const { database, definition } = target
  const column = columnOf(definition, history.validTo)
  const open = [valueToText(column, history.open)]
  const encoder = new BlockEncoder()
  encoder.push(open)
  const block = encoder.flush()
  const { isHeld, type } = await database.transaction(() =>
    database.withConnection(async (connection, adapter) => {
      const table = { table: definition.table, columns: [column.column] }
      const held = await connection.holdRows(table, () => (block === null ? [] : [block]))
      const { sql: text } = compile(adapter, sql`select count(*) from ${sql.raw(held.table)}`)
      const { rows } = await connection.query(text)
      await held.release()
      return { isHeld: rows[0]?.[0] === '1', type: adapter.schema.columnType(column.field.settings) }
    }),
  )
  if (isHeld) return
  const is = live?.columns.find((one) => one.name === column.column)?.type
  const day = history.open.slice(0, 10)
  throw new TerminalError(
    `${name}: the history ends its current versions on ${day} (open), and ${column.column} of ${definition.database}.${definition.table} is ${is}, which cannot hold it, so no version could be written and nothing was read; make the column ${type}, or give a nearer day, or none (NULL)`,
  )
}
