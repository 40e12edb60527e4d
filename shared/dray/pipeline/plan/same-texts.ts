import type { LiveColumn } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { replacesRows } from '#dray/pipeline/rows/taken-over-key.ts'

/** Throws `Terminal` where keys of two rows would be read as one: one row would take the other's place. */
export async function refuseSameTexts(pipeline: Pipeline, live: readonly LiveColumn[]): Promise<void> {
  const { database, definition } = pipeline.extract.source
  // Rows of a query that share a key are compared by Load.
  if (!replacesRows(pipeline) || definition.query !== undefined) return
  const key = definition.primaryKey.map(({ column, field }) => ({
    name: column,
    kind: field.settings.kind,
    liveType: live.find(({ name }) => name === column)?.type ?? '',
  }))
  const [found] = await database.withConnection(async (connection, adapter) => {
    const select = adapter.schema.sameTexts(definition.table, key)
    if (select === null) return []
    const { sql, parameters } = compile(adapter, select)
    return (await connection.query(sql, parameters)).rows
  })
  if (found === undefined) return
  const where = `${definition.database}.${definition.table}`
  throw new TerminalError(
    `${pipeline.name}: two rows of ${where} have the key ${found.join(', ')}, one as a number and one as a text, which are one key once they are read, so nothing was read; give one of them another key there, or delete it, or declare the type of ${key.map(({ name }) => name).join(', ')}`,
  )
}
