import type { Connection } from '../adapter.ts'
import { type Checked, found, type Health } from '../health.ts'
import { tableNameOf } from '../table-name.ts'
import { errorNumber } from './translate.ts'
import { readUrl } from './url.ts'

const MEBIBYTE = 1 << 20
const SMALL_PACKET = 4 * MEBIBYTE
const NO_PRIVILEGE = 1227

/** The session's `max_user_connections` is the account's limit, or the server's where it has none; 0 is no limit. */
const FACTS = `select version(), current_user(), cast(unix_timestamp(sysdate(6)) * 1000 as signed), @@global.max_connections,
  @@session.max_user_connections, (select count(*) from information_schema.processlist where user = substring_index(user(), '@', 1))`

const SETTINGS = 'select @@global.local_infile, @@max_allowed_packet, @@global.read_only, current_user()'

const WRITABLE: ReadonlySet<string> = new Set(['0', 'OFF', 'NO'])
/** What lets a user write to a read-only server. */
const PRIVILEGED = /\b(ALL PRIVILEGES|SUPER|READ_ONLY ADMIN|CONNECTION_ADMIN)\b.* ON \*\.\*/
const GRANTS = 'show grants for current_user()'

export const health: Health = {
  placeOf(options) {
    const { host, port } = readUrl(options).config
    return host === undefined || port === undefined ? null : { host, port }
  },

  async facts(connection) {
    const [version, user, clock, most, ofUser, byUser] = (await connection.query(FACTS)).rows[0] ?? []
    const status = async (name: string) => (await connection.query(`show status like '${name}'`)).rows[0]?.[1] ?? ''
    const account = { what: 'of the account (MAX_USER_CONNECTIONS)', most: Number(ofUser), used: Number(byUser) }
    const used = Number((await connection.query("show global status like 'Threads_connected'")).rows[0]?.[1])
    return {
      version: /mariadb/i.test(version ?? '') ? `MariaDB ${version?.split('-')[0]}` : `MySQL ${version}`,
      user: user as string,
      clock: Number(clock),
      tls: (await status('Ssl_version')) || null,
      limits: [
        { what: 'of the server (max_connections)', most: Number(most), used },
        ...(account.most === 0 ? [] : [account]),
      ],
    }
  },

  async remarks(connection, database, { isReadByTime, isWritten }) {
    const [localInfile, packet, readOnly, user] = (await connection.query(SETTINGS)).rows[0] ?? []
    const isHeld = !WRITABLE.has(readOnly ?? '0') && !(await grantsOf(connection)).some((line) => PRIVILEGED.test(line))
    return [
      ...(isReadByTime ? [await openTransactions(connection, database, user ?? '')] : []),
      ...(isWritten && isHeld ? [isReadOnly(database)] : []),
      ...(isWritten ? [localFiles(database, localInfile === '1')] : []),
      ...(Number(packet) < SMALL_PACKET ? [smallPacket(database, Number(packet))] : []),
    ]
  },

  async cannotMakeTables(connection) {
    const grants = await grantsOf(connection)
    const [name, user] = (await connection.query('select database(), current_user()')).rows[0] ?? []
    if (name == null) return 'the URL names no database, so no table can be made; write its name at the end of the URL'
    // What a role gives is not listed.
    if (grants.some((line) => isRole(line) || givesCreate(line, name))) return null
    return `${user} may not make tables in ${name}; grant create, alter, drop, index on \`${name}\`.* to ${quotedUser(user ?? '')}`
  },

  beginsWithoutLock: true,

  indexOf(table, column) {
    const { schema, name } = tableNameOf(table)
    const place = schema === null ? 'database()' : '?'
    return {
      sql: `select 1 from information_schema.statistics where table_schema = ${place} and table_name = ? and column_name = ? and seq_in_index = 1 limit 1`,
      parameters: [...(schema === null ? [] : [schema]), name, column],
    }
  },
}

async function grantsOf(connection: Connection): Promise<readonly string[]> {
  return (await connection.query(GRANTS)).rows.map(([line]) => line ?? '')
}

/** `` GRANT `reporting`@`%` TO … ``, which names no object. */
function isRole(line: string): boolean {
  return line.startsWith('GRANT ') && !/ ON /.test(line)
}

/** Names of databases in grants are patterns: `sales\_%`. */
function givesCreate(line: string, database: string): boolean {
  const [, rights = '', place = ''] = /^GRANT (.*?) ON (?:TABLE )?(\S+) TO /.exec(line) ?? []
  if (!/\b(CREATE(?! (?:ROUTINE|TEMPORARY|USER|VIEW|ROLE|TABLESPACE))|ALL PRIVILEGES)\b/.test(rights)) return false
  if (place === '*.*') return true
  const [, pattern] = /^`((?:[^`]|``)*)`\.\*$/.exec(place) ?? []
  if (pattern === undefined) return false
  const parts = pattern.replaceAll('``', '`').match(/\\.|[\s\S]/g) ?? []
  const source = parts.map((part) =>
    part === '%' ? '[^]*' : part === '_' ? '[^]' : RegExp.escape(part.at(-1) as string),
  )
  return new RegExp(`^${source.join('')}$`).test(database)
}

function quotedUser(user: string): string {
  const [name = '', host = '%'] = user.split('@')
  return `'${name}'@'${host}'`
}

async function openTransactions(connection: Connection, database: string, user: string): Promise<Checked> {
  try {
    await connection.query('select count(*) from information_schema.innodb_trx')
    return found('open transactions', 'ok', 'sees open transactions (PROCESS)')
  } catch (error) {
    if (errorNumber((error as Error).cause) !== NO_PRIVILEGE) throw error
    return found(
      'open transactions',
      'warning',
      `${user} does not see open transactions of ${database}, so windows end 5 minutes before now and a longer one can be missed; grant process on *.* to ${quotedUser(user)}`,
    )
  }
}

function isReadOnly(database: string): Checked {
  return found(
    'read only',
    'broken',
    `the server of ${database} is read-only, so nothing can be loaded into it; bind ${database} to the primary, or set global read_only = 0`,
  )
}

function localFiles(database: string, isOn: boolean): Checked {
  if (isOn) return found('LOAD DATA', 'ok', 'takes LOAD DATA LOCAL INFILE')
  return found(
    'LOAD DATA',
    'warning',
    `the server of ${database} refuses LOAD DATA LOCAL INFILE, so rows are loaded by INSERT, which takes longer; set global local_infile = 1, and in its configuration`,
  )
}

function smallPacket(database: string, bytes: number): Checked {
  const size = `${(bytes / MEBIBYTE).toFixed(1)} MiB`
  return found(
    'packet',
    'warning',
    `max_allowed_packet of ${database} is ${size}, so longer rows go to the quarantine; set global max_allowed_packet = ${64 * MEBIBYTE}, and in its configuration`,
  )
}
