import { sql } from 'kysely'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import type { Check } from '#dray/pipeline/declare/checks.ts'
import type { Subject } from './ask-checks.ts'
import { wholeTable } from './checked-table.ts'
import { questionOf } from './questions.ts'

/**
 * Has the database read the statements of the checks, before rows are moved. Throws `Terminal` for one that it does not
 * take. A table that is not there yet is not looked at.
 */
export async function prepareChecks(
  name: string,
  checks: readonly Check[],
  { database, definition }: Subject['target'],
): Promise<void> {
  if (checks.length === 0) return
  await database.withConnection(async (connection, adapter) => {
    if ((await connection.describe(definition.table)) === null) return
    const table = await wholeTable(definition, connection, adapter)
    for (const check of checks) {
      const question = questionOf(check, table)
      if (question === null) continue
      for (const statement of [question.count, question.faults]) {
        const { sql: text, parameters } = compile(adapter, sql`explain ${statement}`)
        await connection.query(text, parameters).catch((error: unknown) => {
          if (!(error instanceof TerminalError || error instanceof DataQualityError)) throw error
          throw new TerminalError(
            `${name}: the check ${check.name} of ${definition.database}.${definition.table} cannot run, so nothing was read: ${error.message}; correct the check, or bring the tables up to date (\`npx dray schema plan\`)`,
            { cause: error },
          )
        })
      }
    }
  })
}
