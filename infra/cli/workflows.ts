import { ConfigurationError } from '#shared/active-record/errors.ts'
import { run, type Workflow, workflow } from '#shared/workflow/index.ts'

/** The workflow of a name, or one made of the single step of that name. Throws `Configuration` with the names there are. */
export async function workflowNamed(name: string): Promise<Workflow> {
  const { workflows } = await import('#infra/workflows/index.ts')
  const found = workflows.find((candidate) => candidate.name === name)
  if (found) return found
  const steps = workflows.flatMap((candidate) => candidate.steps)
  const step = steps.find((candidate) => candidate.name === name)
  if (step) return workflow(name, { steps: [run(step)] })
  const names = [...workflows.map((candidate) => candidate.name), ...new Set(steps.map((candidate) => candidate.name))]
  throw new ConfigurationError(
    `There is no workflow or pipeline ${name}, so nothing was run; there are ${names.join(', ')}.`,
  )
}
