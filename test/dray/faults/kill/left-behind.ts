import { setTimeout as delay } from 'node:timers/promises'
import type { Observer } from './engines.ts'

const KNOWN_TABLES = new Set(
  'item item_view product shared dated of_version of_shelf event version failures sale part line grown passing dray_migration dray_fence dray_ledger dray_closing dray_schema dray_spelling'.split(
    ' ',
  ),
)

/** The server drops the temporary tables of a session that has ended; others stay. */
export async function strayTables(observer: Observer): Promise<string[]> {
  const sql =
    observer.engine === 'postgres'
      ? "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p') and (n.nspname = current_schema() or n.nspname like 'pg_temp%')"
      : 'select table_name from information_schema.tables where table_schema = database()'
  return (await observer.run(sql)).map(([name]) => name as string).filter((name) => !KNOWN_TABLES.has(name))
}

export async function sessionsOf(observer: Observer): Promise<string[]> {
  const sql =
    observer.engine === 'postgres'
      ? "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
      : 'select id from information_schema.processlist where db = database() and id <> connection_id()'
  return (await observer.run(sql)).map(([id]) => `${observer.engine} ${id}`)
}

/** MariaDB reads its transactions anew only after nobody has looked for 0.1 s, so an old answer is asked for again. */
export async function openTransactions(observer: Observer): Promise<number> {
  const sql =
    observer.engine === 'postgres'
      ? "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null and backend_type = 'client backend'"
      : 'select count(*) from information_schema.innodb_trx where trx_mysql_thread_id <> connection_id()'
  let open = 0
  for (let look = 1; look <= 3; look++) {
    open = Number((await observer.run(sql))[0]?.[0])
    if (open === 0) break
    await delay(120)
  }
  return open
}

/** Until a session waits for a lock that another one holds. */
export async function untilBlocked(target: Observer): Promise<void> {
  const isPostgres = target.engine === 'postgres'
  const sql = isPostgres
    ? "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    : "select count(*) from information_schema.innodb_trx where trx_state = 'LOCK WAIT'"
  for (const patience = Date.now() + 20_000; Date.now() < patience; await delay(isPostgres ? 10 : 120)) {
    if ((await target.run(sql))[0]?.[0] !== '0') return
  }
  throw new Error('no session waited for a lock within 20 s')
}
