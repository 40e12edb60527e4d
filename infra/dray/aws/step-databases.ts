import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { Replica } from 'dray/internal/pipeline/declare/replica.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'

/** Names of the databases that a step works with. */
export interface StepDatabases {
  readonly sources: readonly string[]
  readonly targets: readonly string[]
  /** Of the tables that a task says it works with. */
  readonly declared: readonly string[]
  /** It is a task that is SQL, which keeps a `last_run`. */
  readonly isSql?: true
}

/**
 * Which databases each step reads and writes: a pipeline those of its models, a comparison those of its pipeline, a
 * task those that the workflow's pipelines write, and those of the tables that it names.
 */
export async function databasesOfSteps(
  workflow: Workflow,
  project: Pick<LoadedProject, 'findUnit'>,
): Promise<ReadonlyMap<string, StepDatabases>> {
  const databases = new Map<string, StepDatabases>()
  for (const { kind, name, of = name } of workflow.steps) {
    if (kind !== 'task' && kind !== 'reconcile') databases.set(of, databasesOf(await project.findUnit(of)))
  }
  const targets = [...new Set([...databases.values()].flatMap((step) => step.targets))]
  for (const { name, reconciled } of workflow.steps) {
    if (reconciled !== undefined) databases.set(name, databasesOf(await project.findUnit(reconciled.pipeline)))
  }
  for (const { kind, name, written, databases: declared = [] } of workflow.steps) {
    // A SELECT names its tables, all of one database.
    if (kind === 'task' && written !== undefined)
      databases.set(name, { sources: [], targets: [], declared, isSql: true })
    else if (kind === 'task') databases.set(name, { sources: [], targets, declared })
  }
  return databases
}

function databasesOf(unit: Pipeline | Replica): StepDatabases {
  if (unit.kind === 'replica') return { sources: [unit.from.name], targets: [unit.into.name], declared: [] }
  return {
    sources: [unit.extract.source.database.name],
    targets: [unit.load.target.database.name],
    declared: [],
  }
}
