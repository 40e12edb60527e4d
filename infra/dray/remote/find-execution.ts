import { ConfigurationError } from 'dray/internal/errors.ts'
import { unitOf } from 'dray/internal/messages/step-name.ts'
import { unitsOf } from 'dray/internal/workflow/placeholders.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import type { AskedSteps } from '#dray-infra/runs/asked-steps.ts'
import type { Machine, StartedExecution } from './machine.ts'
import type { OpenEnvironment } from './open-environment.ts'

/** An execution with its machine, and what it was to do. */
export interface FoundExecution extends AskedSteps {
  readonly machine: Machine
  readonly execution: StartedExecution
  /** Those that are shown; of the workflow what it was asked for, unless told. */
  readonly steps?: readonly string[]
}

/**
 * The execution of a run: of a workflow's machine, or of a pipeline's that a person has started. Throws `Configuration`
 * when there is none of that name.
 */
export async function executionNamed(
  id: string,
  { settings, state, machine, pipelineMachine }: OpenEnvironment,
): Promise<FoundExecution> {
  // A run that has just been started has no record yet.
  const recorded = (await state.run(id))?.run.workflow
  const { workflows } = await loadProject()
  const candidates = workflows.filter(({ name }) => recorded === undefined || name === recorded)
  for (const workflow of candidates) {
    const its = machine(workflow.name)
    const execution = await its.execution(id)
    if (execution === null) continue
    const { only = null, tables = null } = execution.input
    return { workflow, only, tables, machine: its, execution }
  }
  const workflow = workflows.find(
    (one) => recorded !== undefined && unitsOf(one).some((unit) => unit.name === unitOf(recorded)),
  )
  if (workflow !== undefined && recorded !== undefined) {
    const its = pipelineMachine(recorded)
    const execution = await its.execution(id)
    if (execution !== null) return { workflow, only: [recorded], steps: [recorded], machine: its, execution }
  }
  throw new ConfigurationError(
    `There is no execution ${id} in ${settings.name}: it is more than 90 days old, or was never started; \`npx dray runs --env ${settings.name}\` lists the runs.`,
  )
}
