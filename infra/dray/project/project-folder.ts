import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this package. */
export const packageFolder: string = resolve(import.meta.dirname, '..')

/** The folder of the package `dray`. */
export const drayFolder: string = dirname(fileURLToPath(import.meta.resolve('dray')))

/** What makes a folder a project of Dray. */
export const PROJECT_FILE = 'infra/project.ts'

/**
 * The project at work: the one whose folder, or a folder in it, is the current one; else the one that this package lies
 * in.
 */
export const projectFolder: string = projectAround(process.cwd()) ?? resolve(packageFolder, '../..')

function projectAround(folder: string): string | null {
  if (existsSync(join(folder, PROJECT_FILE))) return folder
  const above = dirname(folder)
  return above === folder ? null : projectAround(above)
}

/** The version of the framework that is installed. */
export function drayVersion(): string {
  return JSON.parse(readFileSync(join(drayFolder, 'package.json'), 'utf8')).version
}
