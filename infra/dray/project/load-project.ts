import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigurationError, TerminalError } from 'dray/internal/errors.ts'
import { isTableStep, unitOf } from 'dray/internal/messages/step-name.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { Replica } from 'dray/internal/pipeline/declare/replica.ts'
import type { Task } from 'dray/internal/pipeline/declare/task.ts'
import type { Project } from './define-project.ts'
import { PROJECT_FILE, projectFolder } from './project-folder.ts'

/** A project with its place. */
export interface LoadedProject extends Project {
  readonly folder: string
  /** What the folder of a step exports, which loads no other one. Throws `Terminal` where it exports none. */
  findUnit(name: string): Promise<Pipeline | Replica>
  /** The pipeline of a step; of a table of a replica as its source is now. Throws `Terminal` where there is none. */
  findPipeline(name: string): Promise<Pipeline>
  /** The task of a step. Throws `Configuration` where its folder exports none. */
  findTask(name: string): Promise<Task>
}

/** Loads what `infra/project.ts` of a folder exports as `project`. Throws `Configuration`. */
export async function loadProject(folder: string = projectFolder): Promise<LoadedProject> {
  const file = join(folder, PROJECT_FILE)
  if (!existsSync(file)) {
    throw new ConfigurationError(
      `There is no ${PROJECT_FILE} in ${folder}, so nothing was done; run the command in a folder of your project.`,
    )
  }
  refuseManifest(folder)
  const { project } = (await import(pathToFileURL(file).href)) as { readonly project?: Project }
  if (project?.kind !== 'project') {
    throw new ConfigurationError(
      `${PROJECT_FILE} exports no project, so nothing was done; write: export const project = defineProject({ … })`,
    )
  }
  const findUnit = (name: string) => findUnitIn(folder, name)
  return {
    ...project,
    folder,
    findUnit,
    findPipeline: async (name) => pipelineIn(await findUnit(name), name),
    findTask: (name) => findTaskIn(folder, name),
  }
}

function refuseManifest(folder: string): void {
  const file = join(folder, 'package.json')
  if (!existsSync(file)) {
    throw new ConfigurationError(
      `There is no package.json in ${folder}, which says what #models/ and #functions/ are, so nothing was done; put it back, or run the command in a folder of your project.`,
    )
  }
  try {
    JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new ConfigurationError(
      `${file} is no JSON (${(error as Error).message}), so nothing was done; mend it there.`,
    )
  }
}

async function findUnitIn(folder: string, name: string): Promise<Pipeline | Replica> {
  const file = `functions/${unitOf(name)}/pipeline.ts`
  if (!existsSync(join(folder, file))) {
    throw new ConfigurationError(
      `A workflow runs ${unitOf(name)}, and there is no ${file}, so nothing was done: a pipeline lies in the folder of its name; rename the folder, or the pipeline.`,
    )
  }
  const finder = await import(pathToFileURL(join(folder, 'functions/dray/find-pipeline.ts')).href)
  return finder.findPipeline(unitOf(name))
}

async function findTaskIn(folder: string, name: string): Promise<Task> {
  const module: Readonly<Record<string, unknown>> = await import(
    pathToFileURL(join(folder, 'functions', name, 'task.ts')).href
  )
  const found = Object.values(module).find((one) => {
    const { kind, name: own } = Object(one) as Partial<Task>
    return kind === 'task' && own === name
  })
  if (found !== undefined) return found as Task
  throw new ConfigurationError(
    `functions/${name}/task.ts exports no task ${name}, so nothing was done; write there: export const … = task('${name}', …).`,
  )
}

async function pipelineIn(unit: Pipeline | Replica, name: string): Promise<Pipeline> {
  if (unit.kind === 'replica' && isTableStep(name)) {
    const { livePipeline } = await import('dray/internal/pipeline/replica/prepared-table.ts')
    return (await livePipeline(unit, name)).pipeline
  }
  if (unit.kind === 'pipeline' && unit.name === name) return unit
  throw new TerminalError(
    unit.kind === 'replica'
      ? `${name} is a replica of many tables, and this is about one: name it, as ${name}/<table>; \`npx dray plan ${name}\` lists them`
      : `${unit.name} is a pipeline and no replica, so there is no table ${name}`,
  )
}
