import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const projectFolder = resolve(import.meta.dirname, '../..')

/** The folder of everything that the local runner keeps: `.dray/` of the project, or `DRAY_HOME`. */
export function drayHome(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.DRAY_HOME ? resolve(environment.DRAY_HOME) : join(projectFolder, '.dray')
}

/** Creates the folder of the log files and returns it. */
export function logFolder(home: string): string {
  const folder = join(home, 'logs')
  mkdirSync(folder, { recursive: true })
  return folder
}
