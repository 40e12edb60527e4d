import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'

/** A pipeline of the project, whether a workflow runs it or not. */
export interface KnownPipeline {
  readonly pipeline: Pipeline
  readonly isRun: boolean
}

export async function knownPipelines(project: LoadedProject): Promise<readonly KnownPipeline[]> {
  const functions = join(project.folder, 'functions')
  const run = new Set(project.workflows.flatMap(({ steps }) => steps.map(({ name }) => name)))
  const folders = readdirSync(functions).filter((name) => existsSync(join(functions, name, 'pipeline.ts')))
  const units = await Promise.all(folders.map((name) => project.findUnit(name)))
  return units.flatMap((unit) => (unit.kind === 'pipeline' ? [{ pipeline: unit, isRun: run.has(unit.name) }] : []))
}
