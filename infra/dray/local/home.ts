import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { makeFolders } from '#dray-infra/project/made-folder.ts'
import { projectFolder } from '#dray-infra/project/project-folder.ts'
import { isOnesOwn } from './private-files.ts'

/** The folder of everything that the local runner keeps: `.dray/` of the project, or `DRAY_HOME`. */
export function drayHome(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.DRAY_HOME ? resolve(environment.DRAY_HOME) : join(projectFolder, '.dray')
}

/**
 * Makes the folder, for its user alone. Where that is root, PostgreSQL runs as another user, who must be able to pass.
 * Throws `Configuration` for a folder that is there and in which somebody else could have put a link, or the address of
 * another server.
 */
export function makeHome(home: string): void {
  try {
    makeFolders(home, process.getuid?.() === 0 ? 0o711 : 0o700)
  } catch (error) {
    throw new ConfigurationError(
      `${home} cannot be made (${(error as Error).message}), so nothing was done; have another folder: DRAY_HOME=<folder>`,
      { cause: error },
    )
  }
  refuseUnwritable(home)
  if (isOnesOwn(home)) return
  throw new ConfigurationError(
    `${home} belongs to another user, or everybody can write to it, so nothing in it was read or written; make it yours (chmod o-w), or have another one: DRAY_HOME=<folder>`,
  )
}

function refuseUnwritable(home: string): void {
  try {
    if (!statSync(home).isDirectory()) throw new Error('it is no folder')
    accessSync(home, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new ConfigurationError(
      `${home} cannot be written (${(error as Error).message}), so nothing was done; have another folder: DRAY_HOME=<folder>`,
      { cause: error },
    )
  }
}

/** Creates the folder of the log files and returns it. */
export function logFolder(home: string): string {
  makeHome(home)
  const folder = join(home, 'logs')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder
}

/** A file of a run in a folder. Throws `Configuration` for a name that would lead out of it, or that no run has. */
export function fileOfRun(folder: string, id: string, extension: string): string {
  if (/^\w[\w.:-]{0,99}$/.test(id)) return join(folder, `${id}.${extension}`)
  throw new ConfigurationError(
    `${JSON.stringify(id.slice(0, 100))} is not the name of a run, so nothing was looked for under it; \`npx dray runs\` lists the runs.`,
  )
}
