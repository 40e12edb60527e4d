import { existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { ConfigurationError } from '#dray/errors.ts'
import type { AdapterOptions } from '../adapter.ts'
import { urlVariable } from '../database-url.ts'

/** Where a database is, for messages. */
export interface Place {
  /** The database's name in Dray. */
  readonly name: string
  /** An absolute path, or `:memory:`. */
  readonly path: string
  /** The environment variable that binds the name to its URL. */
  readonly variable: string
  readonly readOnly: boolean
}

const FORM = 'sqlite:path/to/file.db (?mode=ro reads only, ?mode=rw does not create it) or sqlite::memory:'

/**
 * Reads `sqlite:path?mode=rwc|rw|ro`. A file that is absent is created when its folder exists (`rwc`, the default).
 * Throws `Configuration` when the file cannot be there.
 */
export function readUrl({ name, url }: AdapterOptions): Place {
  const variable = urlVariable(name)
  const match = /^sqlite:(?:\/\/(?=\/|:memory:))?([^?]+)(?:\?mode=(rwc|rw|ro))?$/.exec(url)
  const given = match?.[1] ?? ''
  if (match === null || decode(given).includes('\0'))
    throw new ConfigurationError(`The URL of database ${name} cannot be read; set ${variable} to ${FORM}`)
  const mode = match[2] ?? 'rwc'
  if (given === ':memory:') return { name, path: given, variable, readOnly: false }
  const path = resolve(decode(given))
  const place = { name, path, variable, readOnly: mode === 'ro' }
  if (existsSync(path)) {
    if (statSync(path).isDirectory()) throw absent(place, 'is a folder')
  } else if (mode !== 'rwc') throw absent(place, 'does not exist')
  else if (!existsSync(dirname(path))) throw absent(place, 'is in a folder that does not exist')
  return place
}

export function absent({ name, path, variable }: Place, why: string): ConfigurationError {
  return new ConfigurationError(
    `Database ${name} cannot be opened: ${path} ${why}; set ${variable} to the URL of a SQLite file, ${FORM}`,
  )
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
