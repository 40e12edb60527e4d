import { compile } from '#dray/database/statement.ts'
import { ConfigurationError, TerminalError } from '#dray/errors.ts'
import { prepareTask } from '#dray/pipeline/checks/check-task.ts'
import type { SqlTask } from '#dray/pipeline/declare/task.ts'
import { foreignKeysTo, isActing } from '#dray/pipeline/landing/foreign-keys.ts'
import { refuseMisfit } from './fit-columns.ts'
import { taskSql } from './task-sql.ts'

/**
 * Before anything is written: holds the SELECT against the model, makes the table where it is missing, holds the model
 * against it and has the database read the checks. Says whether the table was made.
 */
export async function prepareTable(task: SqlTask): Promise<boolean> {
  const { work } = task
  await refuseUnfitting(task)
  const { database, definition } = work.into
  const describe = () => database.withConnection((connection) => connection.describe(definition.table))
  const isMissing = (await describe()) === null
  if (isMissing) await work.into.createTable({ ifMissing: true })
  await refuseTable(task)
  await prepareTask(task)
  return isMissing
}

/** Throws `Terminal` where the table is not that of the model, or its rows must not be deleted. */
export async function refuseTable(task: SqlTask): Promise<void> {
  const { name, work } = task
  const differences = await work.into.checkSchema()
  if (differences.length > 0) {
    throw new TerminalError(
      `${name}: the model does not fit its table, so nothing was written: ${differences.map(({ message }) => message).join('; ')}`,
    )
  }
  await refuseReferred(task)
}

/** Throws `Configuration` where the database does not take the SELECT, or its columns are not those of the model. */
export async function refuseUnfitting({ name, work }: SqlTask): Promise<void> {
  const { database } = work.into
  await database.withConnection(async (connection, adapter) => {
    const { sql: text, parameters } = compile(adapter, await taskSql(work, null, connection, adapter))
    const selected = await connection.describeQuery(text, parameters).catch((error: unknown) => {
      if (!(error instanceof ConfigurationError)) throw error
      throw new ConfigurationError(
        `${name}: the database does not take the SELECT, so nothing was written: ${error.message}`,
        { cause: error },
      )
    })
    refuseMisfit(name, work, selected, adapter)
  })
}

/** A delete would change rows of other tables, or be refused for those that all rows have. */
async function refuseReferred({ name, work }: SqlTask): Promise<void> {
  const { into, by, deletes } = work
  if (by.length > 0 && deletes.kind !== 'hard') return
  const { database, definition } = into
  const foreign = (await foreignKeysTo(database, definition.table)).filter((one) => by.length === 0 || isActing(one))
  if (foreign.length === 0) return
  const tables = [...new Set(foreign.map(({ table, isOwn }) => (isOwn ? 'the table itself' : table)))].join(', ')
  const remedy =
    by.length === 0
      ? 'say by which fields rows are the same (by), so that the rows that stay are left alone'
      : 'mark rows as deleted instead: deletes: { soft: … }'
  throw new TerminalError(
    `${name}: ${tables} refers to ${definition.database}.${definition.table} by a foreign key, so rows there would go or change with those that are deleted, and nothing was written; ${remedy}`,
  )
}
