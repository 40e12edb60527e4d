import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { Project } from './define-project.ts'
import { PROJECT_FILE, projectFolder } from './project-folder.ts'

/** A project with its place. */
export interface LoadedProject extends Project {
  readonly folder: string
  /** The pipeline of a name, which loads no other one. Throws `Terminal` where its folder exports none. */
  findPipeline(name: string): Promise<Pipeline>
}

/** Loads what `infra/project.ts` of a folder exports as `project`. Throws `Configuration`. */
export async function loadProject(folder: string = projectFolder): Promise<LoadedProject> {
  const file = join(folder, PROJECT_FILE)
  if (!existsSync(file)) {
    throw new ConfigurationError(
      `There is no ${PROJECT_FILE} in ${folder}, so nothing was done; run the command in a folder of your project.`,
    )
  }
  const { project } = (await import(pathToFileURL(file).href)) as { readonly project?: Project }
  if (project?.kind !== 'project') {
    throw new ConfigurationError(
      `${PROJECT_FILE} exports no project, so nothing was done; write: export const project = defineProject({ … })`,
    )
  }
  return { ...project, folder, findPipeline: (name) => findPipeline(folder, name) }
}

async function findPipeline(folder: string, name: string): Promise<Pipeline> {
  const finder = await import(pathToFileURL(join(folder, 'functions/dray/find-pipeline.ts')).href)
  return finder.findPipeline(name)
}
