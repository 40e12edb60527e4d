import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { tableName } from '#dray/active-record/sql.ts'
import type { Adapter, Connection, LiveTable } from '#dray/database/adapter.ts'
import type { Database } from '#dray/database/database.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'

const SUFFIX = '__dray_next'
/** PostgreSQL cuts longer names in silence. */
const MOST_BYTES = 63

/** The table beside another one in which its next rows are gathered; in the same schema. */
export function nextTable(table: string): string {
  const parts = table.split('.')
  const name = parts.pop() ?? ''
  return [...parts, shortened(name)].join('.')
}

function shortened(name: string): string {
  if (Buffer.byteLength(name + SUFFIX) <= MOST_BYTES) return name + SUFFIX
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8)
  let head = name
  while (Buffer.byteLength(`${head}_${hash}${SUFFIX}`) > MOST_BYTES) head = head.slice(0, -1)
  return `${head.toWellFormed().replaceAll('\uFFFD', '')}_${hash}${SUFFIX}`
}

const FIRST_NAME = String.raw`(?:"(?:[^"]|"")*"|\x60(?:[^\x60]|\x60\x60)*\x60|\[[^\]]*\]|'(?:[^']|'')*'|[^\s("]+)`
const CREATE_TABLE = new RegExp(`^CREATE TABLE\\s+${FIRST_NAME}`, 'i')
const CREATE_INDEX = new RegExp(`^CREATE UNIQUE INDEX\\s+${FIRST_NAME}\\s+ON\\s+${FIRST_NAME}`, 'i')

/** Throws, in the transaction around it, when a newer run has taken the target over. */
type Guard = () => Promise<void>

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
    for (const statement of await statementsLike(connection, adapter, table, next)) {
      const made = await connection.query(statement).then(
        () => null,
        (error: unknown) => error,
      )
      // Another delivery of the same Plan may have made it.
      if (made !== null && (await connection.describe(next)) === null) throw made
    }
  })
}

/** MySQL drops nothing inside a transaction: there the guard is asked right before, and what is dropped all the same is missed by the swap. */
export async function dropNextTable(database: Database, table: string, guard: Guard): Promise<void> {
  const { dialect } = await database.adapter()
  const drop = () =>
    database.withConnection(async (connection, adapter) => {
      await connection.query(compile(adapter, sql`drop table if exists ${tableName({ table: nextTable(table) })}`).sql)
    })
  await database.transaction(async () => {
    await guard()
    if (dialect !== 'mysql') await drop()
  })
  if (dialect === 'mysql') await drop()
}

function sameShape(one: LiveTable, other: LiveTable): boolean {
  const shape = ({ columns, primaryKey, uniqueKeys }: LiveTable) =>
    JSON.stringify([columns, primaryKey, uniqueKeys.map((key) => key.join()).sort()])
  return shape(one) === shape(other)
}

async function statementsLike(
  connection: Connection,
  adapter: Adapter,
  table: string,
  next: string,
): Promise<string[]> {
  const compiled = (statement: Parameters<typeof compile>[1]) => compile(adapter, statement).sql
  const [from, to] = [tableName({ table }), tableName({ table: next })]
  if (adapter.dialect === 'postgres') {
    const all = sql.raw('including all excluding comments excluding statistics excluding storage')
    return [compiled(sql`create table ${to} (like ${from} ${all})`)]
  }
  if (adapter.dialect === 'mysql') return [compiled(sql`create table ${to} like ${from}`)]
  const quotedNext = compiled(to)
  const { rows } = await connection.query(
    "select type, sql, name from sqlite_schema where tbl_name = ? and sql is not null and (type = 'table' or sql like 'CREATE UNIQUE INDEX%') order by type desc",
    [table],
  )
  return rows.map(([type, text, name]) =>
    type === 'table'
      ? (text ?? '').replace(CREATE_TABLE, () => `CREATE TABLE ${quotedNext}`)
      : (text ?? '').replace(
          CREATE_INDEX,
          () => `CREATE UNIQUE INDEX ${adapter.quote(nextTable(`${name}_${next}`))} ON ${quotedNext}`,
        ),
  )
}

const REFERRING = {
  postgres: `select conrelid::regclass::text from pg_constraint where contype = 'f' and confrelid = to_regclass($1) and conrelid <> confrelid`,
  mysql: `select concat(table_schema, '.', table_name) from information_schema.key_column_usage
    where referenced_table_schema = coalesce(?, database()) and referenced_table_name = ?`,
  sqlite: `select m.name from sqlite_schema m, pragma_foreign_key_list(m.name) f where m.type = 'table' and lower(f."table") = lower(?)`,
} as const

/** Tables with a foreign key to this one: taking its rows out would take theirs along, or be refused. */
export async function referringTables(database: Database, table: string): Promise<string[]> {
  return database.withConnection(async (connection, { dialect, quote }) => {
    const parts = table.split('.')
    const name = parts.at(-1) ?? ''
    const parameters = {
      postgres: [parts.map(quote).join('.')],
      mysql: [parts.length > 1 ? (parts[0] as string) : null, name],
      sqlite: [name],
    }
    const { rows } = await connection.query(REFERRING[dialect], parameters[dialect])
    return [...new Set(rows.map(([found]) => found ?? ''))]
  })
}
