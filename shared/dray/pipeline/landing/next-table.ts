import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { tableName } from '#dray/active-record/sql.ts'
import type { LiveTable } from '#dray/database/adapter.ts'
import type { Database } from '#dray/database/database.ts'
import type { ReadRows } from '#dray/database/reading.ts'
import { compile } from '#dray/database/statement.ts'
import { tableNameOf, tableText } from '#dray/database/table-name.ts'
import { TerminalError } from '#dray/errors.ts'

const SUFFIX = '__dray_next'
/** PostgreSQL cuts names of more than 63 in silence; MySQL calls the checks of a table after it, `_chk_12`. */
const MOST_BYTES = 56

/** The table beside another one in which its next rows are gathered; in the same schema. */
export function nextTable(table: string): string {
  const { schema, name } = tableNameOf(table)
  return tableText({ schema, name: shortened(name) })
}

function shortened(name: string): string {
  if (Buffer.byteLength(name + SUFFIX) <= MOST_BYTES) return name + SUFFIX
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8)
  let head = name
  while (Buffer.byteLength(`${head}_${hash}${SUFFIX}`) > MOST_BYTES) head = head.slice(0, -1)
  return `${head.toWellFormed().replaceAll('\uFFFD', '')}_${hash}${SUFFIX}`
}

/** Throws, in the transaction around it, when a newer run has taken the target over. */
type Guard = () => Promise<unknown>

/** Makes the table like the other one, with its defaults, checks and unique keys; one that fits is left as it is. */
export async function createNextTable(database: Database, table: string, guard: Guard): Promise<void> {
  const next = nextTable(table)
  const [like, found] = await database.withConnection(async (connection) => [
    await connection.describe(table),
    await connection.describe(next),
  ])
  if (like === null)
    throw new TerminalError(`there is no table ${database.name}.${table}, so none can be made beside it`)
  if (found !== null && sameShape(like, found)) return
  if (found !== null) await dropNextTable(database, table, guard)
  await database.withConnection(async (connection, adapter) => {
    const read: ReadRows = async (text, parameters) => (await connection.query(text, parameters)).rows
    const indexName = (other: string) => shortened(`${other}_${next}`)
    for (const statement of await adapter.schema.tableLike(read, table, next, indexName)) {
      const made = await connection.query(statement).then(
        () => null,
        (error: unknown) => error,
      )
      // Another delivery of the same Plan may have made it.
      if (made !== null && (await connection.describe(next)) === null) throw made
    }
  })
}

/**
 * Where nothing is dropped inside a transaction, the guard is asked right before, and what is dropped all the same is
 * missed by the swap.
 */
export async function dropNextTable(database: Database, table: string, guard: Guard): Promise<void> {
  const { isTransactional } = (await database.adapter()).schema
  const drop = () =>
    database.withConnection(async (connection, adapter) => {
      await connection.query(compile(adapter, sql`drop table if exists ${tableName({ table: nextTable(table) })}`).sql)
    })
  await database.transaction(async () => {
    await guard()
    if (isTransactional) await drop()
  })
  if (!isTransactional) await drop()
}

function sameShape(one: LiveTable, other: LiveTable): boolean {
  const shape = ({ columns, primaryKey, uniqueKeys }: LiveTable) =>
    JSON.stringify([columns, primaryKey, uniqueKeys.map((key) => key.join()).sort()])
  return shape(one) === shape(other)
}
