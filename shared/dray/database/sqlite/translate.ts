import { ConfigurationError, DataQualityError, TerminalError, TransientError } from '#dray/errors.ts'
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

/** An error of node:sqlite, by result code, as the error that says what to do about it. */
export function translate(error: unknown, { name, path, variable }: Place): Error {
  if (error instanceof Error && DRAY.has(error.name)) return error
  const cause = { cause: error }
  const message = error instanceof Error ? error.message : String(error)
  const where = `Database ${name} (${path})`
  // Not of the engine: of the rows that a merge was given, or of the code itself.
  if (error instanceof Error && error.name !== 'Error') return error
  if (!isSqliteError(error)) return new TerminalError(`${where}: ${message}`, cause)
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
