import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { Client, escapeIdentifier } from 'pg'

/*
 * A database that is emptied costs a tenth of one that is made: PostgreSQL copies megabytes for it, and MySQL takes
 * longest of all to bring Dray's own tables to their newest version.
 */

/** What is left in a database. */
export interface EmptyOptions {
  /** Dray's own tables stay, without their rows, where a run has made them. */
  readonly keepsOwn: boolean
}

const HOLDER = 'dray_holder'

/** Leaves the database of a URL as `createDatabase` makes one. */
export function emptyDatabase(url: string, options: EmptyOptions): Promise<void> {
  return url.startsWith('mysql:') ? emptyMysql(url, options) : emptyPostgres(url, options)
}

async function emptyPostgres(url: string, { keepsOwn }: EmptyOptions): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query(
      `select 'table' as kind, relname as name from pg_class
       where relnamespace = to_regnamespace('public') and relkind = 'r' and relname like 'dray\\_%'
       union all select 'schema', nspname from pg_namespace
       where nspname not like 'pg\\_%' and nspname <> 'information_schema'`,
    )
    const named = (of: string) => rows.filter(({ kind }) => kind === of).map(({ name }) => name as string)
    const own = keptOf(named('table'), keepsOwn)
    const [database] = (await client.query('select current_database()')).rows.map(({ current_database: name }) => name)
    const statements = [
      `alter database ${escapeIdentifier(database)} reset all`,
      ...(own.length > 0 ? [`create schema ${HOLDER}`] : []),
      ...own.map((name) => `alter table public.${name} set schema ${HOLDER}`),
      ...named('schema').map((name) => `drop schema ${escapeIdentifier(name)} cascade`),
      'create schema public authorization pg_database_owner',
      'grant usage on schema public to public',
      ...own.map((name) => `alter table ${HOLDER}.${name} set schema public`),
      ...own.filter(hasRows).map((name) => `delete from public.${name}`),
      ...(own.length > 0 ? [`drop schema ${HOLDER} cascade`] : []),
    ]
    await client.query(statements.join(';\n'))
  } finally {
    await client.end()
  }
}

async function emptyMysql(url: string, { keepsOwn }: EmptyOptions): Promise<void> {
  const connection = await createConnection({ uri: url, multipleStatements: true })
  try {
    const [rows] = await connection.query<RowDataPacket[]>(
      `select lower(table_type) as kind, table_name as name from information_schema.tables where table_schema = database()
       union all select lower(routine_type), routine_name from information_schema.routines where routine_schema = database()`,
    )
    const named = (of: string) => rows.filter(({ kind }) => kind === of).map(({ name }) => name as string)
    const tables = named('base table')
    const own = keptOf(
      tables.filter((name) => name.startsWith('dray_')),
      keepsOwn,
    )
    const dropped = tables.filter((name) => !own.includes(name)).map(quoted)
    await connection.query(
      [
        'set foreign_key_checks = 0',
        ...(dropped.length > 0 ? [`drop table ${dropped.join(', ')}`] : []),
        ...['view', 'procedure', 'function'].flatMap((kind) =>
          named(kind).map((name) => `drop ${kind} ${quoted(name)}`),
        ),
        ...own.filter(hasRows).map((name) => `delete from ${name}`),
      ].join(';\n'),
    )
  } finally {
    await connection.end()
  }
}

/** All of Dray's own tables, or none: those without their version would be taken for older ones. */
function keptOf(own: readonly string[], keepsOwn: boolean): readonly string[] {
  return keepsOwn && own.includes('dray_migration') ? own : []
}

/** Whose rows are of runs. */
function hasRows(own: string): boolean {
  return own !== 'dray_migration'
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}
