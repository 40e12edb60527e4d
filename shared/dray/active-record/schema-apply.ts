import { randomUUID } from 'node:crypto'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import type { ColumnType } from '#dray/database/capabilities.ts'
import type { Database } from '#dray/database/database.ts'
import { TerminalError, TransientError } from '#dray/errors.ts'
import { type PlannedStatement, type TablePlan, unfitRows } from './schema-plan.ts'

/** Where each database keeps what was done to its tables: one row a change, newest last by `applied_at`. */
export const RECORD_TABLE = 'dray_schema'

const COLUMNS = {
  id: { kind: 'uuid' },
  applied_at: { kind: 'timestamp' },
  table_name: { kind: 'text' },
  statement: { kind: 'text' },
  mark: { kind: 'varchar', length: 10 },
  applied_by: { kind: 'varchar', length: 300 },
} as const satisfies Readonly<Record<string, Partial<ColumnType>>>

export interface Applying {
  /** Who is recorded to have done it. */
  readonly by: string
  /** The command that shows what is left. */
  readonly again: string
}

/**
 * Does the statements of plans of one database, and records them in `dray_schema` there: all of them or none where DDL
 * is part of a transaction. Rows are looked at once more, while nobody can write others. Throws `Terminal` for rows
 * that do not fit, `Transient` where a lock is not free in time.
 */
export async function applyPlans(
  database: Database,
  plans: readonly TablePlan[],
  { by, again }: Applying,
): Promise<void> {
  const done: string[] = []
  await database.withConnection(async (connection, adapter) => {
    try {
      await adapter.alter.whileAltering(connection, async () => {
        await makeRecordTable(connection, adapter)
        for (const { model, statements } of plans) {
          for (const statement of statements) {
            const { table } = model.definition
            await applyOne(statement, table, connection, adapter)
            await record(statement, table, by, connection, adapter)
            done.push(`${table}: ${statement.what}`)
          }
        }
      })
    } catch (error) {
      throw explained(error, database, adapter.schema.isTransactional ? [] : done, again)
    }
  })
}

function explained(error: unknown, { name }: Database, done: readonly string[], again: string): unknown {
  if (!(error instanceof Error)) return error
  const kept =
    done.length === 0
      ? 'so nothing was changed there'
      : `and this engine keeps each statement by itself, so what was done before stays (${done.join('; ')})`
  const message = `${name}: ${error.message}; ${kept}. Look again: ${again}`
  const Kind = error instanceof TransientError ? TransientError : TerminalError
  return new Kind(message, { cause: error })
}

async function applyOne(
  statement: PlannedStatement,
  table: string,
  connection: Connection,
  adapter: Adapter,
): Promise<void> {
  const lock = statement.unfit.length === 0 ? null : adapter.alter.lockTable(table)
  if (lock?.before) await connection.query(lock.before)
  try {
    const unfit = await unfitRows(statement, connection, statement.rows ?? 0)
    if (unfit.length > 0) {
      throw new TerminalError(`${table}: "${statement.what}" is not done: ${unfit.join(', ')}; mend these rows first`)
    }
    for (const sql of statement.sql) await connection.query(sql)
  } finally {
    // Where the transaction has failed there is nothing to unlock.
    if (lock?.after) await connection.query(lock.after)
  }
}

async function makeRecordTable(connection: Connection, adapter: Adapter): Promise<void> {
  if ((await connection.describe(RECORD_TABLE)) !== null) return
  const clauses = Object.entries(COLUMNS).map(([name, column]) => {
    const type = adapter.schema.columnType({ length: null, precision: null, scale: null, ...column })
    return `${adapter.quote(name)} ${type} not null`
  })
  await connection.query(
    `create table if not exists ${adapter.quote(RECORD_TABLE)} (${clauses.join(', ')}, primary key (${adapter.quote('id')}))${adapter.schema.tableOptions}`,
  )
}

async function record(
  { sql, mark }: PlannedStatement,
  table: string,
  appliedBy: string,
  connection: Connection,
  adapter: Adapter,
): Promise<void> {
  const values = [randomUUID(), table, sql.join(';\n'), mark, appliedBy.slice(0, 300)]
  const [id, name, statement, marked, by] = values.map((_, place) => adapter.placeholder(place + 1))
  await connection.query(
    `insert into ${adapter.quote(RECORD_TABLE)} (id, table_name, statement, mark, applied_by, applied_at) values (${[id, name, statement, marked, by].join(', ')}, ${adapter.now})`,
    values,
  )
}
