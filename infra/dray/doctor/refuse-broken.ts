import type { ModelTable } from 'dray/internal/active-record/model-table.ts'
import { checkSchema } from 'dray/internal/active-record/schema.ts'
import type { Checked } from 'dray/internal/database/health.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { PipelineSurroundings } from 'dray/internal/pipeline/inspect/examine-pipeline.ts'
import type { WorkflowStep } from 'dray/internal/workflow/workflow.ts'
import type { Unit } from '#dray-infra/project/unit-databases.ts'
import { databaseNames, examineDatabases } from './databases.ts'
import { examinePipelines } from './pipelines.ts'

/**
 * Looks at databases, and with `surroundings` at pipelines, as `dray doctor` does, before anything starts. Throws
 * `Configuration` with all that is broken.
 */
export async function refuseBroken(
  units: readonly Unit[],
  surroundings: Omit<PipelineSurroundings, 'isConnected'> | null,
  steps: readonly WorkflowStep[] = [],
): Promise<void> {
  const databases = await examineDatabases(databaseNames([], units), {
    workflows: [{ steps }],
    units,
    isHere: true,
  })
  const pipelines = units.filter((unit) => unit.kind === 'pipeline')
  const isConnected = (name: string) => databases.get(name)?.isConnected === true
  const examined = surroundings === null ? null : await examinePipelines(pipelines, { ...surroundings, isConnected })
  const faults = [
    ...[...databases.values()].flatMap(({ checks }) => broken(checks)),
    ...pipelines.flatMap(({ name }) => broken(examined?.get(name) ?? []).map((said) => ofPipeline(name, said))),
  ]
  if (faults.length === 0) return
  const [first] = faults
  const said = faults.length === 1 ? first : faults.map((fault, place) => `(${place + 1}) ${fault}`).join('; ')
  throw new ConfigurationError(
    `the run would fail, so nothing was started: ${said}. \`npx dray doctor\` looks at all of it.`,
  )
}

/** Throws `Configuration` where models do not fit their live tables, before a statement fails in a database's words. */
export async function refuseUnfit(name: string, models: readonly ModelTable[]): Promise<void> {
  const differences = (await Promise.all(models.map((model) => checkSchema(model)))).flat()
  if (differences.length === 0) return
  const said = differences.map(({ message }) => message).join('; ')
  throw new ConfigurationError(`${name}: the models do not fit the databases, so nothing was read: ${said}`)
}

/** Plan's own sentences begin with the pipeline. */
function ofPipeline(name: string, said: string): string {
  return said.startsWith(`${name}: `) ? `pipeline ${said}` : `pipeline ${name}: ${said}`
}

function broken(checks: readonly Checked[]): string[] {
  return checks.filter(({ verdict }) => verdict === 'broken').map(({ said }) => said.replace(/\.$/, ''))
}
