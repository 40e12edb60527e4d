import { ConfigurationError, DataQualityError, TerminalError, TransientError } from '#dray/errors.ts'
import { bareError, cutQuoted, cutToken, raisedBy, sentBy } from '../row-values.ts'
import type { Place } from './url.ts'

const DRAY = new Set(['Transient', 'Terminal', 'DataQuality', 'Configuration'])

/** Primary result codes: https://www.sqlite.org/rescode.html */
const BUSY = new Set([5, 6])
const ROW = new Set([18, 19, 20])
const ROOM = new Set([7, 9, 10])

export interface SqliteError extends Error {
  readonly errcode: number
}

function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
}

/** Another connection holds the lock; nothing was done. */
export function isBusy(error: unknown): boolean {
  return isSqliteError(error) && BUSY.has(error.errcode & 0xff)
}

/** A value is longer than the connection's limit. */
export function isTooBig(error: unknown): boolean {
  return isSqliteError(error) && (error.errcode & 0xff) === 18
}

/** A constraint, a type or the length of a value: the row's fault. */
export function isRowFault(error: unknown): error is SqliteError {
  return isSqliteError(error) && ROW.has(error.errcode & 0xff)
}

/** The column that a constraint is about, where the message names exactly one. */
export function columnOf(error: Error): string | null {
  return (
    /^(?:NOT NULL|UNIQUE) constraint failed: [^,]*\.([^,.]+)$/.exec(error.message)?.[1] ??
    / value in \w+ column .*\.([^.]+)$/.exec(error.message)?.[1] ??
    null
  )
}

/** An error of node:sqlite, by result code, as the error that says what to do about it; it quotes no row. */
export function translate(error: unknown, place: Place): Error {
  if (error instanceof Error && DRAY.has(error.name)) return error
  // Not of the engine: of the rows that a merge was given, or of the code itself.
  if (error instanceof Error && error.name !== 'Error') return error
  if (isSqliteError(error)) return sentBy(error, translateEngine(error, place))
  const message = error instanceof Error ? error.message : String(error)
  return new TerminalError(`Database ${place.name} (${place.path}): ${message}`, { cause: error })
}

function translateEngine(error: SqliteError, { name, path, variable }: Place): Error {
  const message = withoutValues(error)
  const cause = { cause: bareError(error, message, ['code', 'errcode', 'errstr']) }
  const where = `Database ${name} (${path})`
  const code = error.errcode & 0xff
  if (ROW.has(code)) return new DataQualityError(columnOf(error) ?? '', String(error.errcode), message, cause)
  if (BUSY.has(code)) {
    return new TransientError(`${where} is locked by another writer: ${message}; nothing was written, try again`, cause)
  }
  if (ROOM.has(code)) return new TransientError(`${where} could not go on: ${message}; try again`, cause)
  if (code === 13)
    return new TerminalError(`${where} is full: ${message}; nothing of the transaction is kept, free disk space`, cause)
  if (code === 14 || code === 26) {
    return new ConfigurationError(
      `${where} cannot be opened: ${message}; set ${variable} to the URL of a SQLite file that can be read and written`,
      cause,
    )
  }
  const missing = /^no such (table|column): (.*)$/s.exec(message)
  if (missing !== null) {
    return new TerminalError(
      `${where} has no ${missing[1]} "${missing[2]}", so nothing was read or written; create it or correct its name in the model`,
      cause,
    )
  }
  return new TerminalError(`${where} refused the statement: ${message} (${error.errcode})`, cause)
}

/** Of RAISE in a trigger, whose text may be an expression: https://www.sqlite.org/lang_createtrigger.html#raise */
const RAISED = 1811
/** Of a statement that is wrong, and of what functions and virtual tables say. */
const SAID_BY_FUNCTIONS = new Set([1, 1043, 2323])
const MISSING = /^no such (?:table|column|function|index|view|savepoint|collation sequence): /

/** What the engine says, without what it quotes of a row. */
function withoutValues({ errcode, message }: SqliteError): string {
  if (errcode === RAISED) return raisedBy('a trigger')
  if (!SAID_BY_FUNCTIONS.has(errcode) || MISSING.test(message)) return message
  const near = /^near "(.*)": syntax error$/s.exec(message)
  return near === null ? cutQuoted(message, /$^/) : `near "${cutToken(near[1] as string)}": syntax error`
}
