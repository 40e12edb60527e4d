import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { ConfigurationError, TerminalError, TransientError } from '#dray/errors.ts'

/** Says that a SQLite file is one of these: `Dray`. */
const APPLICATION = 0x44726179
const VERSION = 1
/** A write takes less than a millisecond. */
const BUSY_TIMEOUT_MS = 10_000

const SCHEMA = `
  CREATE TABLE items (
    pk TEXT NOT NULL, sk TEXT NOT NULL, item TEXT NOT NULL,
    kind TEXT, workflow TEXT, start_time TEXT, expires_at REAL,
    PRIMARY KEY (pk, sk)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX by_kind ON items (kind, start_time, pk, sk) WHERE kind IS NOT NULL AND start_time IS NOT NULL;
  CREATE INDEX by_workflow ON items (workflow, start_time, pk, sk) WHERE workflow IS NOT NULL AND start_time IS NOT NULL;
  CREATE INDEX by_end ON items (expires_at) WHERE expires_at IS NOT NULL;
  PRAGMA application_id = ${APPLICATION};
  PRAGMA user_version = ${VERSION};
`

/**
 * Opens a file of items, which has to be there, and makes its tables where it is empty. What the last writes were may
 * be lost with the power of the machine, not with a process: targets know how far they were loaded. Throws
 * `Configuration` for a file that is none of these.
 */
export function openStateFile(path: string): DatabaseSync {
  return inWords(path, () => {
    const database = new DatabaseSync(new URL(`${pathToFileURL(path)}?mode=rw`), { timeout: BUSY_TIMEOUT_MS })
    try {
      if (!isReady(database, path)) makeReady(database, path)
      database.exec('PRAGMA synchronous = NORMAL')
      return database
    } catch (error) {
      database.close()
      throw error
    }
  })
}

/** False for an empty file. */
function isReady(database: DatabaseSync, path: string): boolean {
  const [application, version] = [numberOf(database, 'application_id'), numberOf(database, 'user_version')]
  if (application === APPLICATION && version === VERSION) return true
  if (application === 0 && version === 0 && numberOf(database, 'schema_version') === 0) return false
  throw new ConfigurationError(
    application === APPLICATION
      ? `The local state ${path} was written by a newer version of Dray (format ${version}) than this one, which reads format ${VERSION}, so it was neither read nor changed; use the newer version here, too.`
      : `${path} is a SQLite file of something else than Dray's state, so it was neither read nor changed; move it away, and the next command makes the state anew: mv ${path} ${path}.other`,
  )
}

function numberOf(database: DatabaseSync, pragma: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0])
}

/** By whichever process comes first. */
function makeReady(database: DatabaseSync, path: string): void {
  // SQLite waits for nobody here.
  for (let tries = 0; ; tries++) {
    try {
      database.exec('PRAGMA journal_mode = WAL')
      break
    } catch (error) {
      if (tries === 200 || !isBusy(error)) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }
  inTransaction(database, () => {
    if (!isReady(database, path)) database.exec(SCHEMA)
  })
}

/** Nothing of `work` is kept unless all of it is. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** Does something with a file of items; what SQLite says against it becomes an error that says what to do. */
export function inWords<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const code = primaryCode(error)
    throw code === null ? error : translated(path, code, error as Error)
  }
}

/** https://www.sqlite.org/rescode.html */
function primaryCode(error: unknown): number | null {
  const { errcode } = Object(error) as { readonly errcode?: unknown }
  return typeof errcode === 'number' ? errcode & 0xff : null
}

function isBusy(error: unknown): boolean {
  return [5, 6].includes(primaryCode(error) ?? 0)
}

function translated(path: string, code: number, error: Error): Error {
  const cause = { cause: error }
  const state = `The local state ${path}`
  if (isBusy(error)) {
    return new TransientError(
      `${state} was being written by another process for more than ${BUSY_TIMEOUT_MS / 1000} s. A retry settles what was done.`,
      cause,
    )
  }
  if (code === 8) {
    return new ConfigurationError(
      `${state} cannot be written (${error.message}), so nothing was changed; make it writable for you: chmod u+w ${path}`,
      cause,
    )
  }
  if (code === 13) {
    return new TerminalError(
      `The disk of the local state ${path} is full, so nothing was written to it: free some of it, and run the command again.`,
      cause,
    )
  }
  if (code === 14 || code === 3 || code === 23) {
    return new ConfigurationError(
      `${state} cannot be opened (${error.message}), so nothing was read or written; look at its owner and mode: ls -l ${path}`,
      cause,
    )
  }
  if (code === 11 || code === 26) {
    return new ConfigurationError(
      `${state} is no SQLite file, or a damaged one (${error.message}), so nothing was done by it; bring it back from a backup, or move it away, and the next run reads from where its target was loaded, or all: mv ${path} ${path}.damaged`,
      cause,
    )
  }
  return new TransientError(
    `${state} could not be read or written (${error.message}). A retry settles what was done.`,
    cause,
  )
}
