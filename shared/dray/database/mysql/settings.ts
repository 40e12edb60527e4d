import { ConfigurationError } from '#dray/errors.ts'
import { NAMES_OF_SOME_VERSIONS } from './session-variables.ts'

/** What a server says of a connection when it opens, once its variables are those of `session-variables.ts`. */
export interface SessionFacts {
  readonly isMariaDB: boolean
  /** What the server would have given the session. */
  readonly timeZone: string
  /** The zone of the server's system, as it was when the server started. */
  readonly systemTimeZone: string
  readonly sqlMode: readonly string[]
  readonly localInfile: boolean
  readonly maxAllowedPacket: number
  readonly isReadOnly: boolean
  /** Other nodes take writes, too: Galera, group replication. */
  readonly isOfCluster: boolean
  /** Only READ COMMITTED needs another binary log format than STATEMENT. */
  readonly logsStatements: boolean
  /** GTIDs with a log of statements: no temporary table can be made in a transaction. */
  readonly refusesTemporaryTables: boolean
  /** Temporary tables have one, too. */
  readonly requiresPrimaryKey: boolean
  readonly ordinals: { readonly offset: number; readonly increment: number }
}

const VARIABLES = [
  'version',
  'version_comment',
  'system_time_zone',
  'sql_mode',
  'local_infile',
  'max_allowed_packet',
  'read_only',
  'wsrep_on',
  'group_replication_group_name',
  'log_bin',
  'binlog_format',
  'enforce_gtid_consistency',
  'character_set_client',
  'character_set_results',
  'auto_increment_increment',
  'auto_increment_offset',
  'sql_require_primary_key',
  ...NAMES_OF_SOME_VERSIONS,
]

/** Before the session is given its own. */
export const ZONE_QUERY = 'SELECT @@session.time_zone'

export const SETTINGS_QUERY = `SHOW SESSION VARIABLES WHERE Variable_name IN (${VARIABLES.map((name) => `'${name}'`).join(', ')})`

const COMMITTING =
  /^(?:\s|\/\*[\s\S]*?\*\/)*(?:alter|analyze|begin|create|drop|flush|grant|lock|optimize|rename|repair|revoke|start|truncate|unlock)\b(?!\s+(?:or\s+replace\s+)?temporary\b)/i

/** Whether MySQL would commit the open transaction before the statement. */
export function commitsFirst(sql: string): boolean {
  return COMMITTING.test(sql)
}

/** What the server says, once the session's variables are set; `zone` is the zone that the session had before. */
export function readFacts(variables: ReadonlyMap<string, string>, zone: string, database: string): SessionFacts {
  const facts = factsOf(variables, zone)
  checkCharacterSet(variables, database)
  checkVersion(variables.get('version') ?? '', facts, database)
  return facts
}

function factsOf(variables: ReadonlyMap<string, string>, zone: string): SessionFacts {
  const named = zone === 'SYSTEM' ? (variables.get('system_time_zone') ?? '') : zone
  const increment = Number(variables.get('auto_increment_increment') ?? 1)
  const offset = Number(variables.get('auto_increment_offset') ?? 1)
  return {
    isMariaDB: /mariadb/i.test(`${variables.get('version')} ${variables.get('version_comment')}`),
    timeZone: ['UTC', 'Etc/UTC', '+00:00'].includes(named) ? '+00:00' : zone,
    systemTimeZone: variables.get('system_time_zone') ?? '',
    sqlMode: (variables.get('sql_mode') ?? '').split(',').filter((mode) => mode !== ''),
    localInfile: variables.get('local_infile') === 'ON',
    maxAllowedPacket: Number(variables.get('max_allowed_packet') ?? 1 << 20),
    isReadOnly: !['OFF', '0', undefined].includes(variables.get('read_only')),
    isOfCluster: variables.get('wsrep_on') === 'ON' || (variables.get('group_replication_group_name') ?? '') !== '',
    logsStatements: logsStatements(variables),
    refusesTemporaryTables: refusesTemporaryTables(variables),
    requiresPrimaryKey: variables.get('sql_require_primary_key') === 'ON',
    ordinals: { increment, offset: offset > increment ? 1 : offset },
  }
}

function logsStatements(variables: ReadonlyMap<string, string>): boolean {
  return variables.get('log_bin') === 'ON' && variables.get('binlog_format') === 'STATEMENT'
}

function refusesTemporaryTables(variables: ReadonlyMap<string, string>): boolean {
  return logsStatements(variables) && variables.get('enforce_gtid_consistency') === 'ON'
}

/** What the session would need to log, where it is allowed to ask for it; null where there is nothing to ask. */
export function rowLogOf(variables: ReadonlyMap<string, string>): string | null {
  return refusesTemporaryTables(variables) ? 'SET SESSION binlog_format=ROW' : null
}

function checkCharacterSet(variables: ReadonlyMap<string, string>, database: string): void {
  for (const name of ['character_set_client', 'character_set_results']) {
    const found = variables.get(name)
    if (found === 'utf8mb4') continue
    throw new ConfigurationError(
      `${database}: the server sets ${name} to ${found} although utf8mb4 was asked for, so text would be damaged. Remove skip-character-set-client-handshake and init_connect from its configuration.`,
    )
  }
}

function checkVersion(version: string, facts: SessionFacts, database: string): void {
  const [major = 0, minor = 0, patch = 0] = (/\d+\.\d+\.\d+/.exec(version)?.[0] ?? '').split('.').map(Number)
  const number = major * 10_000 + minor * 100 + patch
  if (number >= (facts.isMariaDB ? 100_200 : 80_017)) return
  throw new ConfigurationError(
    `${database}: the server is version ${version}, which is too old. Use MySQL 8.0.17 or MariaDB 10.2 at least.`,
  )
}
