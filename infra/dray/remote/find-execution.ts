import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import type { Machine, StartedExecution } from './machine.ts'
import type { OpenEnvironment } from './open-environment.ts'

/**
 * The execution of a run, with its workflow and machine. Throws `Configuration` when no workflow has one of that name.
 */
export async function executionNamed(
  id: string,
  { settings, state, machine }: OpenEnvironment,
): Promise<{ readonly workflow: Workflow; readonly machine: Machine; readonly execution: StartedExecution }> {
  // A run that has just been started has no record yet.
  const recorded = (await state.run(id))?.run.workflow
  const { workflows } = await loadProject()
  const candidates = workflows.filter(({ name }) => recorded === undefined || name === recorded)
  for (const workflow of candidates) {
    const its = machine(workflow.name)
    const execution = await its.execution(id)
    if (execution !== null) return { workflow, machine: its, execution }
  }
  throw new ConfigurationError(
    `There is no execution ${id} in ${settings.name}: it is more than 90 days old, or was never started; \`npx dray runs --env ${settings.name}\` lists the runs.`,
  )
}
