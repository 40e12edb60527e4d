import { ConfigurationError, DataQualityError, TerminalError, TransientError } from '#dray/errors.ts'
import { mayComeBack } from '../away.ts'
import { bareError, cutQuoted, raisedBy } from '../row-values.ts'
import { type DriverError, translateClient, UNREACHABLE } from './translate-client.ts'
import type { Place } from './url.ts'

/** Error numbers are compared, never names: client libraries name some of them wrongly (4025 is a violated CHECK). */
const ROW_FAULTS = new Set([
  1022, 1048, 1062, 1138, 1169, 1216, 1217, 1261, 1262, 1263, 1264, 1265, 1292, 1300, 1366, 1367, 1369, 1406, 1411,
  1416, 1451, 1452, 1525, 1526, 1557, 1586, 1591, 1644, 1690, 1761, 1762, 1859, 3140, 3141, 3142, 3146, 3150, 3156,
  3157, 3158, 3617, 3671, 3732, 3819, 3903, 3988, 4025, 4078,
])

/** The server has rolled back the whole transaction, or may have. */
const TRANSACTION_GONE = new Set([1020, 1180, 1205, 1213, 1402, 1613, 1614, 3058, 3101, 3572])

const TRANSIENT = new Set([
  ...TRANSACTION_GONE,
  1037,
  1038,
  1040,
  1041,
  1053,
  1077,
  1078,
  1079,
  1080,
  1114,
  1158,
  1159,
  1160,
  1161,
  1184,
  1189,
  1190,
  1203,
  1226,
  1290,
  1317,
  1412,
  1637,
  1836,
  1927,
  1969,
  2006,
  2013,
  2055,
  3024,
  3168,
  3169,
  4031,
])

const CONFIGURATION = new Set([
  1044, 1045, 1049, 1130, 1131, 1132, 1133, 1227, 1251, 1410, 1524, 1698, 1820, 1862, 2061, 3118, 3159,
])

const REMEDIES: ReadonlyMap<number, string> = new Map([
  [1146, 'Create the table, or correct its name in the model.'],
  [1051, 'Create the table, or correct its name in the model.'],
  [1054, 'Add the column, or correct its name in the model.'],
  [1142, 'Grant the privilege to the user of the URL.'],
  [1143, 'Grant the privilege to the user of the URL.'],
  [1792, 'What is read calls a function that writes. Leave it out.'],
  [3750, 'Give the model a primary key, or create the table with one.'],
  [1364, 'Write the column, or give it a default.'],
  [1153, 'Raise max_allowed_packet of the server.'],
])

/** With GTIDs and a log of statements nothing can be loaded, so no transaction that would write begins. */
export function loggedAsStatements({ name }: Place): ConfigurationError {
  return new ConfigurationError(
    `${name}: the server has GTIDs and logs statements, so it takes no temporary table in a transaction, and nothing was read or written. Run SET GLOBAL binlog_format = ROW there, or grant SESSION_VARIABLES_ADMIN to the user, and start again.`,
  )
}

/** What a SIGNAL of a trigger or a procedure has, unless it says another number: its state tells it all the same. */
const SIGNAL = { number: 1644, state: '45000' }

export function errorNumber(error: unknown): number | undefined {
  const { errno: number, sqlState } = (error ?? {}) as DriverError
  if (sqlState === SIGNAL.state) return SIGNAL.number
  return typeof number === 'number' && number > 0 ? number : undefined
}

/** A value was compared with a column whose character set does not have all of its characters. */
export function lacksCharacters(error: unknown): boolean {
  const number = errorNumber(error)
  const { message = '' } = (error ?? {}) as Partial<Error>
  if (number === CANNOT_CONVERT) return true
  // Of a long list the server does not say what it mixes.
  if (number === MIXED_LIST) return message.includes("'in'")
  return (number === MIXED_COLLATIONS || number === MIXED_THREE) && message.includes('COERCIBLE')
}

export function isRowFault(code: number | undefined): boolean {
  return code !== undefined && ROW_FAULTS.has(code)
}

export function endsTransaction(error: unknown): boolean {
  const number = errorNumber(error)
  return (number !== undefined && TRANSACTION_GONE.has(number)) || (error as DriverError)?.fatal === true
}

const MIXED_COLLATIONS = 1267
const MIXED_THREE = 1270
const MIXED_LIST = 1271
const CANNOT_CONVERT = 3854

const COLUMN = /column (?:`[^`]*`\.`[^`]*`\.)?[`']((?:[^`']|``)+)[`'](?: at row \d+| cannot be null|$)/gi

/** With its table in front. */
const JSON_COLUMN = /in value for column '(?:[^'.]*\.)?([^']+)'\.?$/

const CONSTRAINED = /^CONSTRAINT `[^`.]+\.([^`.]+)` failed|FOREIGN KEY \(`((?:[^`]|``)+)`/

/** The column that a message of the server is about, where it says so. */
export function columnIn(message: string): string | null {
  const named = [...message.matchAll(COLUMN)].at(-1)?.[1]
  const constrained = CONSTRAINED.exec(message)
  const json = JSON_COLUMN.exec(message)
  return (json?.[1] ?? named ?? constrained?.[1] ?? constrained?.[2])?.replaceAll('``', '`') ?? null
}

/** Drops the row number, which counts from the start of a batch that nobody sees. */
export function withoutRow(message: string): string {
  return message.replace(/ at row \d+$/, '')
}

/** Has a name already: one of Dray's, or of the rows that a merge was given. */
function isNamed(error: unknown): error is Error {
  return error instanceof Error && error.name !== 'Error' && error.name !== 'AggregateError'
}

/** Messages that quote names alone. https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html */
const NAMES_ALONE = new Set([
  1007,
  1008,
  1022,
  1048,
  1050,
  1060,
  1061,
  1066,
  1072,
  1091,
  1109,
  1110,
  1136,
  1138,
  1166,
  1169,
  1216,
  1217,
  1261,
  1262,
  1263,
  1264,
  1265,
  1267,
  1288,
  1305,
  1348,
  1356,
  1369,
  1370,
  1406,
  1416,
  1418,
  1419,
  1442,
  1443,
  1451,
  1452,
  1471,
  1591,
  1785,
  1906,
  3105,
  3140,
  3141,
  3142,
  3750,
  3819,
  3988,
  4025,
  4078,
  4038,
  ...TRANSIENT,
  ...CONFIGURATION,
  ...REMEDIES.keys(),
])
const SYNTAX = 1064
/** What is quoted of the statement, up to its first literal. */
const NEAR = / near '((?:(?!_utf8mb4|_binary)[^'"\d])*).*$/s
const NO_PARTITION = 1526
/** Of a longitude or a latitude. */
const PLACES = new Set([3616, 3617, 3732])

/** What follows a value in a message. */
const TAIL =
  / (?:for (?:column|key) (?:`[^`]*`\.`[^`]*`\.)?(?:'[^']*'|`[^`]*`)(?: at row \d+)?|for function \w+|from \w+ to \w+|value found during parsing)$/

/** What the server says, without what it quotes of a row. Its language is the session's, which is English. */
function withoutValues(number: number, message: string): string {
  if (number === SIGNAL.number) return raisedBy('a trigger or a routine of the database')
  if (number === SYNTAX) return message.replace(NEAR, " near '$1…'")
  if (number === NO_PARTITION) return message.replace(/ value .*$/s, ' value …')
  if (PLACES.has(number)) return message.replace(/-?\d+(?:\.\d+)?(?:e[+-]\d+)?/gi, '…')
  return NAMES_ALONE.has(number) ? message : cutQuoted(message, TAIL)
}

/** Of the driver's error; not `sql`, which has the bound values in it. */
const PRINTED = ['code', 'errno', 'sqlState', 'fatal']

/** The driver's error for whoever prints causes. */
function bare(error: unknown): unknown {
  const number = errorNumber(error)
  if (number === undefined || !(error instanceof Error)) return error
  return bareError(error, withoutValues(number, error.message), PRINTED)
}

/** Whatever a transaction that the server has rolled back is asked for. */
export function rolledBack(cause: unknown): TransientError {
  return new TransientError('The server has rolled back the transaction. Begin it again.', { cause: bare(cause) })
}

/** A driver's error, by its number, as the error that says what to do about it; it quotes no row. */
export function translate(error: unknown, place: Place): Error {
  if (isNamed(error)) return error
  const cause = error as DriverError
  const number = errorNumber(error)
  const options = { cause: bare(error) }
  if (number === undefined) return translateClient(cause, `${place.name}: ${cause?.message ?? String(error)}`, place)
  const message = withoutValues(number, cause.message)
  const said = `${place.name}: ${message} (MySQL error ${number})`
  if (ROW_FAULTS.has(number)) {
    return new DataQualityError(columnIn(message) ?? '', String(number), withoutRow(message), options)
  }
  if (lacksCharacters(error)) return new DataQualityError('', String(number), message, options)
  if (TRANSIENT.has(number)) return new TransientError(said, options)
  if (CONFIGURATION.has(number)) {
    return new ConfigurationError(
      `${said}. ${place.address} refused the user, so nothing was read or written. ${remedyOf(number, place)}`,
      options,
    )
  }
  const remedy = REMEDIES.get(number)
  return new TerminalError(remedy ? `${said}. A retry cannot succeed. ${remedy}` : said, options)
}

/**
 * Why no session could be opened. The environment is at fault, unless a session was open before (`known`), or this is
 * a Lambda: then the server is down for a while.
 */
export function translateConnect(error: unknown, place: Place, known: boolean): Error {
  const { name, address } = place
  const code = (error as { code?: string })?.code ?? ''
  if (known && (UNREACHABLE.has(code) || code === 'ETIMEDOUT')) {
    return new TransientError(`${name}: ${address} cannot be reached any more (${code}). Try again.`, { cause: error })
  }
  const fault = unreached(error, code, place)
  return mayComeBack(code) ? new TransientError(fault.message, { cause: error }) : fault
}

function unreached(error: unknown, code: string, place: Place): Error {
  if (code !== 'ETIMEDOUT') return translate(error, place)
  return new ConfigurationError(
    `${place.name}: ${place.address} did not answer in time. Correct host and port in the URL, or open the way to it.`,
    { cause: error },
  )
}

const INSECURE = 3159
const USE_TLS = 'Add ?ssl-ca=<file> with the authority of the server’s certificate to the URL.'

function remedyOf(number: number, { isPlain }: Place): string {
  if (number === 1049) return 'Create the database, or correct its name in the URL.'
  if (number === 1044 || number === 1227) return 'Grant the privilege to the user of the URL.'
  if (number === INSECURE) return USE_TLS
  const orTls = isPlain ? ` Where the account requires TLS: ${USE_TLS}` : ''
  return `Correct the user and the password in the URL.${orTls}`
}
