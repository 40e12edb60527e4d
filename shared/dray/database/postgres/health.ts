import { type Checked, found, type Health } from '../health.ts'
import { quoteTable } from './names.ts'
import { readUrl } from './url.ts'

/** Background processes have no database; whose sessions they are is seen by everybody. */
const FACTS = `select current_setting('server_version'), current_user, (extract(epoch from clock_timestamp()) * 1000)::bigint,
  (select version from pg_stat_ssl where pid = pg_backend_pid()),
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - coalesce(current_setting('reserved_connections', true), '0')::int,
  (select count(*) from pg_stat_activity where datname is not null),
  (select rolconnlimit from pg_roles where rolname = current_user),
  (select count(*) from pg_stat_activity where usename = current_user),
  (select datconnlimit from pg_database where datname = current_database()),
  (select count(*) from pg_stat_activity where datname = current_database())`

const RIGHTS = `select pg_has_role(current_user, 'pg_read_all_stats', 'usage'), current_setting('server_encoding'), current_user`

const TABLES = `select current_schema(), has_schema_privilege(current_schema(), 'create'), current_user`

export const health: Health = {
  placeOf(options) {
    const { host, port } = readUrl(options).config
    return host.startsWith('/') ? null : { host, port }
  },

  async facts(connection) {
    const [version, user, clock, tls, ...counts] = (await connection.query(FACTS)).rows[0] ?? []
    const [most = 0, used = 0, ofRole = -1, byRole = 0, ofDatabase = -1, inDatabase = 0] = counts.map(Number)
    return {
      version: `PostgreSQL ${version?.split(' ')[0]}`,
      user: user as string,
      clock: Number(clock),
      tls: tls ?? null,
      limits: [
        { what: 'of the server (max_connections)', most, used },
        ...(ofRole < 0 ? [] : [{ what: 'of the role (CONNECTION LIMIT)', most: ofRole, used: byRole }]),
        ...(ofDatabase < 0 ? [] : [{ what: 'of the database (CONNECTION LIMIT)', most: ofDatabase, used: inDatabase }]),
      ],
    }
  },

  async remarks(connection, database, { isReadByTime, isWritten }) {
    const [seesAll, encoding, user] = (await connection.query(RIGHTS)).rows[0] ?? []
    return [
      ...(isReadByTime ? [openTransactions(database, seesAll === 't', user ?? '')] : []),
      ...(isWritten && encoding !== 'UTF8' ? [otherEncoding(database, encoding ?? '')] : []),
    ]
  },

  async cannotMakeTables(connection) {
    const [schema, isAllowed, user] = (await connection.query(TABLES)).rows[0] ?? []
    if (schema == null)
      return `the search path of ${user} names no schema that is there, so no table can be made; alter role "${user}" set search_path to <schema>`
    if (isAllowed === 't') return null
    return `${user} may not make tables in the schema ${schema}; grant create on schema "${schema}" to "${user}"`
  },

  beginsWithoutLock: true,

  indexOf: (table, column) => ({
    // A hash finds no range.
    sql: `select 1 from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam and m.amname in ('btree', 'brin')
      where i.indrelid = to_regclass($1) and a.attname = $2 and i.indisvalid and i.indpred is null limit 1`,
    parameters: [quoteTable(table), column],
  }),
}

function openTransactions(database: string, isSeen: boolean, user: string): Checked {
  if (isSeen) return found('open transactions', 'ok', 'sees the open transactions of all roles (pg_read_all_stats)')
  return found(
    'open transactions',
    'warning',
    `${user} does not see the open transactions of other roles in ${database}, so where there are some, windows end 5 minutes before now and a longer one can be missed; grant pg_read_all_stats to "${user}"`,
  )
}

function otherEncoding(database: string, encoding: string): Checked {
  return found(
    'encoding',
    'warning',
    `${database} is encoded in ${encoding}, so each row with a character that is not in it goes to the quarantine; load into a database that was created with encoding 'UTF8'`,
  )
}
