import { join } from 'node:path'
import { type LoadedProject, loadProject } from 'dray-infra/internal/project/load-project.ts'

/** The folder of the project that the framework's own tests work with, so that they need nothing of the user's. */
export const fixtureFolder: string = join(import.meta.dirname, 'fixture')

export function fixtureProject(): Promise<LoadedProject> {
  return loadProject(fixtureFolder)
}
