import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigurationError } from 'dray/internal/errors.ts'

/** As `mkdir` with `recursive`, which never ends under /proc: there a folder can be neither made nor found. */
export function makeFolders(folder: string, mode?: number): void {
  if (existsSync(folder)) return
  makeFolders(dirname(folder), mode)
  try {
    mkdirSync(folder, { mode })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Has a folder that somebody has named, to write into. Throws `Configuration` where that cannot be. */
export function haveFolder(folder: string): void {
  const refuse = (what: string, cause?: unknown) =>
    new ConfigurationError(`${folder} cannot be ${what}, so nothing was written; name another folder.`, { cause })
  try {
    makeFolders(folder)
  } catch (error) {
    throw refuse(`made (${(error as Error).message})`, error)
  }
  if (!statSync(folder).isDirectory()) throw refuse('written to (it is no folder)')
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw refuse(`written to (${(error as Error).message})`, error)
  }
}
