import { ConfigurationError } from 'dray/internal/errors.ts'
import { isTableStep, unitOf } from 'dray/internal/messages/step-name.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { isSqlTask, type SqlTask, type Task } from 'dray/internal/pipeline/declare/task.ts'
import { allUnitsOf } from 'dray/internal/workflow/placeholders.ts'
import { knownNames, shortName } from '#dray-infra/project/known-names.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import type { Unit } from '#dray-infra/project/unit-databases.ts'
import { type AskedSteps, stepsNamed } from '#dray-infra/runs/asked-steps.ts'

/** The names of all pipelines that a workflow runs. */
export async function pipelineNames(): Promise<string[]> {
  const { workflows } = await loadProject()
  return allUnitsOf(workflows).flatMap(({ kind, name }) => (kind === 'pipeline' ? [name] : []))
}

/** Of all replicas, too. */
export async function unitNames(): Promise<string[]> {
  return allUnitsOf((await loadProject()).workflows).map(({ name }) => name)
}

/** The names of all tasks that a workflow runs. */
export async function taskNames(): Promise<string[]> {
  const { workflows } = await loadProject()
  const steps = workflows.flatMap((one) => one.steps)
  return [...new Set(steps.flatMap(({ kind, name }) => (kind === 'task' ? [name] : [])))]
}

/** The task of a name. Throws `Configuration` where its folder exports none. */
export async function taskNamed(name: string): Promise<Task> {
  return (await loadProject()).findTask(name)
}

/** The task of a name that is a SELECT; null for any other name. */
export async function sqlTaskNamed(name: string): Promise<SqlTask | null> {
  if (!(await taskNames()).includes(name)) return null
  const task = await taskNamed(name)
  return isSqlTask(task) ? task : null
}

/** The pipeline of a name, or the replica of a table's. Throws `Configuration` with the names there are. */
export async function unitNamed(name: string): Promise<Unit> {
  const project = await loadProject()
  const units = allUnitsOf(project.workflows)
  const isMeant = (unit: (typeof units)[number]) =>
    isTableStep(name) ? unit.kind === 'replica' && unit.name === unitOf(name) : unit.name === name
  if (units.some(isMeant)) return project.findUnit(name)
  const task = project.workflows.find(({ steps }) => steps.some((step) => step.kind === 'task' && step.name === name))
  if (task !== undefined) {
    throw new ConfigurationError(
      `${name} is a task of the workflow ${task.name}, and this is about pipelines, and tasks that are one SELECT, so nothing was done: it has no source, no last_run and no quarantine; \`npx dray run ${name}\` runs it alone.`,
    )
  }
  if (units.length === 0) {
    throw new ConfigurationError(
      `There is no pipeline ${name}, so nothing was done; no workflow of infra/project.ts has any: \`npx dray add <database>.<table>\` writes one.`,
    )
  }
  const names = units.map((unit) => (unit.kind === 'replica' ? `${unit.name}/<table>` : unit.name))
  throw new ConfigurationError(
    `There is no pipeline ${shortName(name)}, so nothing was done; ${knownNames(name, names)}`,
  )
}

/** The pipeline of a name; of a table, whose databases have to be up. Throws `Configuration` for a whole replica. */
export async function pipelineNamed(name: string): Promise<Pipeline> {
  refuseWhole(await unitNamed(name), name)
  return (await loadProject()).findPipeline(name)
}

/** Throws `Configuration` where a replica is named and one of its tables is meant. */
export function refuseWhole(unit: Unit, name: string): void {
  if (unit.kind === 'pipeline' || isTableStep(name)) return
  throw new ConfigurationError(
    `${name} is a replica of many tables, and this is about one of them, so nothing was done: name it, as ${name}/<table>; \`npx dray plan ${name}\` lists them.`,
  )
}

/** This pipeline alone, in the first workflow that has it or in the one called `of`. */
export async function pipelineAlone(name: string, of?: string): Promise<AskedSteps> {
  await unitNamed(name)
  return stepsNamed(name, of)
}
