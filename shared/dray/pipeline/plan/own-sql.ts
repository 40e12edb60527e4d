import { sql } from 'kysely'
import { tableName, where } from '#dray/active-record/sql.ts'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { cursorValue } from './cursor-value.ts'
import { ownRows } from './source-rows.ts'

/** Has the source read the SQL that an extraction brings along. Throws `Terminal` where it is none of the engine's. */
export async function checkOwnSql(extraction: Extraction): Promise<void> {
  const { filter, cursor, source } = extraction
  const hasExpression = cursor !== null && cursor.expression !== null
  if (filter === null && !hasExpression) return
  await source.database.withConnection(async (connection, adapter) => {
    const columns = (await connection.describe(source.definition.table))?.columns ?? []
    const chosen = { what: 'where', conditions: ownRows(extraction, { adapter, columns }) }
    const stamped = { what: 'cursor', conditions: hasExpression ? [sql`${cursorValue(extraction)} is not null`] : [] }
    for (const { what, conditions } of [chosen, stamped]) {
      if (conditions.length === 0) continue
      const statement = compile(adapter, sql`select 1 from ${tableName(source.definition)}${where(conditions)} limit 0`)
      await connection.query(statement.sql, statement.parameters).catch((error: unknown) => {
        if (!(error instanceof TerminalError || error instanceof DataQualityError)) throw error
        const place = `${source.definition.database}.${source.definition.table}`
        throw new TerminalError(
          `${place}: the database does not take the ${what} of the extraction, so nothing was read: ${error.message}; correct it in the pipeline`,
          { cause: error },
        )
      })
    }
  })
}
