import { ConfigurationError, TerminalError } from '#dray/errors.ts'

/** What a server says of a connection when it opens, once its variables are those of `session-variables.ts`. */
export interface SessionFacts {
  readonly isMariaDB: boolean
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
  readonly ordinals: { readonly offset: number; readonly increment: number }
}

const VARIABLES = [
  'version',
  'version_comment',
  'time_zone',
  'system_time_zone',
  'sql_mode',
  'sql_notes',
  'local_infile',
  'max_allowed_packet',
  'read_only',
  'wsrep_on',
  'group_replication_group_name',
  'log_bin',
  'binlog_format',
  'character_set_client',
  'character_set_results',
  'auto_increment_increment',
  'auto_increment_offset',
  'innodb_lock_wait_timeout',
]

/**
 * In s: longer than a load that is still at work would keep the fence, in most cases. A shorter limit of the server's
 * holds.
 */
const LOCK_WAIT = 300

export const SETTINGS_QUERY = `SHOW SESSION VARIABLES WHERE Variable_name IN (${VARIABLES.map((name) => `'${name}'`).join(', ')})`

const KEYWORD = /^\s*(?:\/\*(?!!)[\s\S]*?\*\/\s*)*(\(*)\s*([a-z]+)/i
const READS = new Set(['select', 'with', 'values', 'table'])
const WRITES = new Set(['insert', 'update', 'delete', 'replace', 'with', 'call'])

const COMMITTING =
  /^(?:\s|\/\*[\s\S]*?\*\/)*(?:alter|analyze|begin|create|drop|flush|grant|lock|optimize|rename|repair|revoke|start|truncate|unlock)\b(?!\s+(?:or\s+replace\s+)?temporary\b)/i

/** Whether MySQL would commit the open transaction before the statement. */
export function commitsFirst(sql: string): boolean {
  return COMMITTING.test(sql)
}

/**
 * Gives single statements the settings that exact values need, without a SET that would outlive them: TIMESTAMP columns
 * in UTC, and on writes strict mode, where 0 is a value of an AUTO_INCREMENT column like any other. MariaDB: `SET
 * STATEMENT … FOR`; MySQL 8.0.17: the hint SET_VAR. https://mariadb.com/kb/en/set-statement/
 * https://dev.mysql.com/doc/refman/8.0/en/optimizer-hints.html#optimizer-hints-set-var
 */
export class SessionSettings {
  readonly facts: SessionFacts
  readonly #reading: readonly string[]
  readonly #writing: readonly string[]

  constructor(variables: ReadonlyMap<string, string>, database: string) {
    const facts = factsOf(variables)
    checkCharacterSet(variables, database)
    checkVersion(variables.get('version') ?? '', facts, database)
    this.facts = facts
    const zone = facts.timeZone === '+00:00' ? [] : [`time_zone='+00:00'`]
    const modes = [...new Set([...facts.sqlMode, 'STRICT_ALL_TABLES', 'NO_AUTO_VALUE_ON_ZERO'])]
    const notes = isOn(variables.get('sql_notes')) || !facts.isMariaDB ? [] : ['sql_notes=1']
    const waits = Number(variables.get('innodb_lock_wait_timeout') ?? 50)
    const patience = facts.isMariaDB && waits > LOCK_WAIT ? [`innodb_lock_wait_timeout=${LOCK_WAIT}`] : []
    this.#reading = [...zone, ...patience]
    this.#writing = [...zone, ...patience, ...notes, `sql_mode='${modes.join(',')}'`]
  }

  get noBackslashEscapes(): boolean {
    return this.facts.sqlMode.includes('NO_BACKSLASH_ESCAPES')
  }

  /** A statement of the application or of this adapter, with the settings that its first word asks for. */
  prepare(sql: string): string {
    const match = KEYWORD.exec(sql)
    const keyword = match?.[2]?.toLowerCase() ?? ''
    if (WRITES.has(keyword)) return this.#apply(sql, this.#writing, match as RegExpExecArray)
    if (READS.has(keyword)) return this.#apply(sql, this.#reading, match as RegExpExecArray)
    return sql
  }

  /** LOAD DATA, which takes settings on MariaDB alone. */
  prepareLoad(sql: string): string {
    return this.facts.isMariaDB ? `SET STATEMENT max_error_count=65535, ${this.#writing.join(', ')} FOR ${sql}` : sql
  }

  #apply(sql: string, settings: readonly string[], match: RegExpExecArray): string {
    if (settings.length === 0) return sql
    if (this.facts.isMariaDB) return `SET STATEMENT ${settings.join(', ')} FOR ${sql}`
    const keyword = match[2]?.toLowerCase() ?? ''
    if (match[1] === '' && ['select', 'insert', 'update', 'delete', 'replace'].includes(keyword)) {
      const hint = settings.map((setting) => `SET_VAR(${setting})`).join(' ')
      return `${sql.slice(0, match[0].length)} /*+ ${hint} */${sql.slice(match[0].length)}`
    }
    if (keyword === 'call' || settings === this.#reading) {
      if (this.#reading.length === 0) return sql
      throw new TerminalError(
        `MySQL takes no time zone for a single ${keyword.toUpperCase()} statement, so its TIMESTAMP values would not be in UTC. Write it as a SELECT, or set the server's time_zone to '+00:00'.`,
      )
    }
    return this.#reading.length === 0 ? sql : this.#apply(sql, this.#reading, match)
  }
}

function isOn(value: string | undefined): boolean {
  return value === 'ON' || value === '1' || value === undefined
}

function factsOf(variables: ReadonlyMap<string, string>): SessionFacts {
  const zone = variables.get('time_zone') ?? 'SYSTEM'
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
    logsStatements: variables.get('log_bin') === 'ON' && variables.get('binlog_format') === 'STATEMENT',
    ordinals: { increment, offset: offset > increment ? 1 : offset },
  }
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
