import { ConfigurationError } from 'dray/internal/errors.ts'
import { isTableStep, unitOf } from 'dray/internal/messages/step-name.ts'
import type { Workflow, WorkflowStep } from 'dray/internal/workflow/workflow.ts'
import { knownNames, shortName } from '#dray-infra/project/known-names.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'

/** A workflow, and which of its steps are meant: null for all. */
export interface AskedSteps {
  readonly workflow: Workflow
  readonly only: readonly string[] | null
  /** Of replicas among these only these tables, `sales-raw/orders`; null for all. */
  readonly tables?: readonly string[] | null
}

/**
 * The workflow of a name; or the step of that name alone, in the first workflow that has it or in the one called `of`.
 * Throws `Configuration` with the names there are.
 */
export async function stepsNamed(name: string, of?: string): Promise<AskedSteps> {
  const { workflows } = await loadProject()
  const whole = workflows.find((candidate) => candidate.name === name && (of ?? name) === name)
  if (whole) return { workflow: whole, only: null }
  const hasStep = ({ steps }: Workflow) => steps.some((step) => step.name === name)
  const workflow = workflows.find((candidate) => hasStep(candidate) && (of ?? candidate.name) === candidate.name)
  if (workflow) return { workflow, only: [name] }
  const replica = replicaOf(name, among(workflows, of))
  if (replica !== null) return replica
  const names = among(workflows, of).flatMap((candidate) => [
    candidate.name,
    ...candidate.steps.map((step) => step.name),
  ])
  const known = names.length > 0 ? names : workflows.map((candidate) => candidate.name)
  throw new ConfigurationError(
    `There is no workflow or pipeline ${shortName(name)}${of === undefined ? '' : ` in a workflow ${of}`}, so nothing was run; ${knownNames(name, known)}`,
  )
}

function among(workflows: readonly Workflow[], of: string | undefined): readonly Workflow[] {
  return workflows.filter((candidate) => (of ?? candidate.name) === candidate.name)
}

/** A table of a replica that is a step of a workflow. */
function replicaOf(name: string, workflows: readonly Workflow[]): AskedSteps | null {
  if (!isTableStep(name)) return null
  const isIts = ({ kind, name: step }: WorkflowStep) => kind === 'replica' && step === unitOf(name)
  const workflow = workflows.find(({ steps }) => steps.some(isIts))
  return workflow === undefined ? null : { workflow, only: [unitOf(name)], tables: [name] }
}

/**
 * Those of a workflow's steps that a list names, `orders,data-mart`. Throws `Configuration` when it does not have one
 * of them.
 */
export function someSteps(asked: AskedSteps, list: string): AskedSteps {
  const names = [...new Set(list.split(',').map((name) => name.trim()))]
  const steps = stepsOf(asked)
  const known = steps.map(({ name }) => name)
  const isOfReplica = (name: string) =>
    isTableStep(name) && steps.some((step) => step.kind === 'replica' && step.name === unitOf(name))
  const tables = names.filter((name) => !known.includes(name) && isOfReplica(name))
  const unknown = names.filter((name) => !known.includes(name) && !tables.includes(name))
  const only = [...new Set(names.map((name) => (tables.includes(name) ? unitOf(name) : name)))]
  if (unknown.length === 0) return { ...asked, only, ...(tables.length === 0 ? {} : { tables }) }
  throw new ConfigurationError(
    `--only names ${unknown.map((name) => JSON.stringify(name)).join(' and ')}, so nothing was run; ${asked.workflow.name} has ${known.join(', ')}.`,
  )
}

/** The steps that are meant, in the order of the workflow. */
export function stepsOf({ workflow, only }: AskedSteps): readonly WorkflowStep[] {
  return workflow.steps.filter(({ name }) => only?.includes(name) ?? true)
}

/** What a person runs them by. */
export function nameOf({
  workflow,
  only,
  tables = null,
}: { readonly workflow: string } & Pick<AskedSteps, 'only' | 'tables'>): string {
  if (only === null) return workflow
  const names = namesOf({ only, tables })
  return names.length === 1 ? quoted(names[0] as string) : `${workflow} --only ${quoted(names.join())}`
}

/** Names of tables may have blanks, which a shell would take apart. */
function quoted(text: string): string {
  return /^[\w./,~-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** What was asked for: of a replica of which some tables are meant, these. */
export function namesOf({
  only,
  tables,
}: {
  readonly only: readonly string[]
  readonly tables: readonly string[] | null
}) {
  return only.flatMap((name) => {
    const its = (tables ?? []).filter((table) => unitOf(table) === name)
    return its.length === 0 ? [name] : its
  })
}
