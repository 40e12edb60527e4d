import pg from 'pg'
import { ConfigurationError, DataQualityError, TerminalError, TransientError } from '#dray/errors.ts'
import { mayComeBack } from '../away.ts'
import { bareError, cutQuoted, cutToken, raisedBy, sentBy } from '../row-values.ts'
import type { Place } from './url.ts'

const DRAY = new Set(['Transient', 'Terminal', 'DataQuality', 'Configuration'])

/** Codes after which the same work may succeed. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const TRANSIENT = new Set([
  '40001',
  '40003',
  '40P01',
  '53000',
  '53200',
  '53300',
  '55006',
  '55P03',
  '57014',
  '25P02',
  '25P03',
  '57P05',
])
const TRANSIENT_CLASSES = new Set(['08', '57', '58'])
/** https://github.com/postgres/postgres/blob/REL_17_0/src/backend/utils/misc/rls.c */
const HIDES_ROWS = /would be affected by row-level security policy/
const NETWORK = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETRESET',
  'ECONNABORTED',
  'ENETUNREACH',
  'EHOSTUNREACH',
])
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'ENOENT',
  'EACCES',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ETIMEDOUT',
])

/**
 * The row's fault, too: a row that a view's CHECK OPTION refuses, a value too long for an index entry or nested too
 * deep for the server's stack, and what a trigger refuses in its language (RAISE EXCEPTION, ASSERT, INTO STRICT).
 */
const ROW_FAULT = /^(22|23|P0)...$|^(44000|54000|54001)$/
/** Where a trigger's RAISE comes from, whatever code it gives. */
const RAISE = 'exec_stmt_raise'
const ACCESS = '42501'
/** Where the server refuses a row by a policy: with the code of a missing grant. */
const POLICY_CHECK = 'ExecWithCheckOptions'

export function isRowFault(error: unknown): error is pg.DatabaseError {
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) return false
  if (ROW_FAULT.test(error.code) || (error.code === ACCESS && error.routine === POLICY_CHECK)) return true
  return error.routine === RAISE && !isTransient(error.code)
}

function isTransient(code: string): boolean {
  return TRANSIENT.has(code) || TRANSIENT_CLASSES.has(code.slice(0, 2))
}

export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}

/** Of a statement in a transaction in which one has failed: what that one says, and what can be done. */
export function afterFault(first: Error): Error {
  const Kind = first instanceof TransientError ? TransientError : TerminalError
  return new Kind(
    `${first.message}; PostgreSQL takes no further statement in a transaction in which one has failed, so nothing of it is kept: let that error leave transaction(), or put the statement that may fail into a transaction() inside it`,
    { cause: first },
  )
}

/** Of the server's error; not `detail` and `where`, which quote rows. */
const PRINTED = ['severity', 'code', 'schema', 'table', 'column', 'dataType', 'constraint', 'routine']

/** A driver's error, by SQLSTATE, as the error that says what to do about it; it quotes no row. */
export function translate(error: unknown, place: Place): Error {
  if (error instanceof Error && DRAY.has(error.name)) return error
  if (error instanceof pg.DatabaseError) return sentBy(error, translateServer(error, place))
  const cause = { cause: error }
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  const where = `Database ${place.name} (${place.address})`
  if (NETWORK.has(code) || UNREACHABLE.has(code) || isDisconnection(message)) {
    return new TransientError(
      `${where} lost the connection: ${message}; nothing of the open transaction is kept, try again`,
      cause,
    )
  }
  // Not of the driver: of the rows that a merge was given, or of the code itself.
  if (error instanceof Error && error.name !== 'Error') return error
  return new TerminalError(`${where}: ${message}`, cause)
}

function translateServer(error: pg.DatabaseError, place: Place): Error {
  const { code = '' } = error
  const message = withoutValues(error)
  const cause = { cause: bareError(error, message, PRINTED) }
  const where = `Database ${place.name} (${place.address})`
  if (isRowFault(error)) return new DataQualityError(columnOf(error) ?? '', code, message, cause)
  if (code === '42P01') {
    return new TerminalError(
      `${where} has no such table: ${message}, so nothing was read or written; create the table or correct its name in the model`,
      cause,
    )
  }
  if (code === '42703') {
    return new TerminalError(
      `${where} has no such column: ${message}, so nothing was read or written; add the column or correct its name in the model`,
      cause,
    )
  }
  if (code === ACCESS && HIDES_ROWS.test(message)) {
    return new TerminalError(
      `${where} shows the user only the rows that a policy lets through: ${message}. Others would be taken for deleted, so nothing was read or written; give the user BYPASSRLS or ownership of the table, or read a view whose owner has it`,
      cause,
    )
  }
  if (code === ACCESS) {
    return new TerminalError(`${where} refuses access: ${message}; grant it to the user in ${place.variable}`, cause)
  }
  if (code === '28P01' || code === '28000' || code === '3D000') return unreachable(error, place)
  if (isTransient(code)) {
    return new TransientError(
      `${where} stopped the work: ${message} (${code}); nothing of it is kept, try again`,
      cause,
    )
  }
  return new TerminalError(`${where} refused the statement: ${message} (${code})`, cause)
}

/** Classes whose messages quote names alone: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const NAMES_ALONE = /^(?:03|08|0A|21|23|25|28|2B|3B|3D|3F|40|42|44|53|54|55|57|58)...$/
const SYNTAX = '42601'
/** What functions raise: their own words. */
const RAISED = /^(?:P0|38|39)...$/
/** Of a text in the wrong encoding, whose bytes are quoted. */
const ENCODING = /^22(?:021|P05)$/
const BYTES = /\b0x[\da-f]{2}(?: 0x[\da-f]{2})*/gi
const OUT_OF_RANGE = / is out of range for type [a-z ]+$/
const FUNCTION = /^PL\/pgSQL.*?([^\s"]+|"[^"\n]*")\([^)\n]*\)/

/** What the server says, without what it quotes of a row. */
function withoutValues(error: pg.DatabaseError): string {
  const { code = '', routine, where = '' } = error
  if (routine === RAISE || RAISED.test(code)) {
    const [, name] = FUNCTION.exec(where) ?? []
    return raisedBy(name === undefined ? 'a function of the database' : `the function ${name}`)
  }
  const message = messageOf(error)
  if (ENCODING.test(code)) return message.replace(BYTES, '…')
  if (code === SYNTAX) return message.replace(/ "(.*)"$/s, (_, token) => ` "${cutToken(token)}"`)
  return NAMES_ALONE.test(code) ? message : cutQuoted(message, OUT_OF_RANGE)
}

/**
 * Why no session could be opened. The environment is at fault, unless a session was open before (`known`), or this is
 * a Lambda: then the server is down for a while.
 */
export function translateConnect(error: unknown, place: Place, known: boolean): Error {
  if (error instanceof Error && DRAY.has(error.name)) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = codeOf(error) || (/timeout expired/.test(message) ? 'ETIMEDOUT' : '')
  const absent = !(error instanceof pg.DatabaseError) && UNREACHABLE.has(code)
  if (known && absent) {
    return new TransientError(
      `Database ${place.name} (${place.address}) cannot be reached any more: ${message || code}; try again`,
      {
        cause: error,
      },
    )
  }
  if (absent && mayComeBack(code)) return new TransientError(unreachable(error, place).message, { cause: error })
  if (absent || /SSL|TLS|certificate|CERT|altnames/i.test(`${code} ${message}`)) return unreachable(error, place)
  if (/password must be a string/i.test(message))
    return unreachable(new Error('the URL has no password, and the server asks for one'), place)
  return translate(error, place)
}

function unreachable(error: unknown, place: Place): ConfigurationError {
  const code = codeOf(error)
  const message = (error instanceof Error && error.message) || code
  const hint = /SSL|TLS|certificate|altnames/i.test(`${code} ${message}`)
    ? ' (its certificate is verified; ?sslrootcert=<file> names its authority, ?sslmode=no-verify or disable gives up the check)'
    : ''
  return new ConfigurationError(
    `Database ${place.name} cannot be reached at ${place.address}: ${message}; ${remedyOf(code, place)}${hint}`,
    { cause: error },
  )
}

function remedyOf(code: string, { variable }: Place): string {
  if (code.startsWith('28')) return `correct the user and the password in ${variable}`
  if (code === '3D000') return `create the database there, or correct its name in ${variable}`
  return `start the server or set ${variable} to its URL`
}

function isDisconnection(message: string): boolean {
  return /Connection terminated|connection error and is not queryable|timeout expired|the connection was/.test(message)
}

/** `COPY t, line 7, column name: "…"`; where the column is not known, the line itself, which may read like that. */
const COPIED = /^COPY (?:(?!, \S+ \d+: ").)*?, \S+ \d+, \S+ (.*?)(?:: |$)/s

/** The column that an error is about, where the server says so. */
export function columnOf(error: pg.DatabaseError): string | null {
  if (error.column !== undefined && error.column !== '') return error.column
  return COPIED.exec(error.where ?? '')?.[1] ?? null
}

/** The server's message, without the temporary table of the merge and with NUL called by its name. */
export function messageOf(error: pg.DatabaseError): string {
  if (error.code === '23502' && error.table?.startsWith('dray_rows_')) {
    return `the key column "${error.column}" is NULL, so the row cannot be merged`
  }
  return error.code === '22021' && error.message.includes('0x00')
    ? 'the text holds a NUL character (U+0000), which PostgreSQL cannot store'
    : error.message
}
