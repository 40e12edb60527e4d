import { ConfigurationError } from 'dray/internal/errors.ts'
import type { FunctionReference } from 'dray/internal/workflow/placeholders.ts'
import { everyFunction, toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import type { Engine, Environment } from '#dray-infra/project/environment.ts'
import { refuseUnknownDatabases } from '#dray-infra/project/unknown-databases.ts'
import { accessOf, type HandlerAccess, roleOf } from './handler-access.ts'
import type { StepDatabases } from './step-databases.ts'

/** A workflow and the databases of its steps. */
export interface DeployedWorkflow {
  readonly workflow: Workflow
  readonly databases: ReadonlyMap<string, StepDatabases>
}

/** A handler of the state machines, with what it may reach. */
export interface ReachingHandler extends FunctionReference {
  readonly access: HandlerAccess
  /** What it is called in names of roles: handlers of one role have the same access. */
  readonly role: string
}

export interface DeployedHandler extends ReachingHandler {
  readonly engines: readonly Engine[]
}

/**
 * `start` starts runs, `janitor` cleans up after them: one function of each for each workflow. `pipelineJanitor` cleans
 * up after pipelines that are started by hand, `versions` deletes code that nothing runs: one of each. `notify` sends
 * what the topic says to Slack or a webhook: one for each that the environment names.
 */
export const triggerHandlers = {
  start: 'functions/dray/start.ts',
  janitor: 'functions/dray/janitor.ts',
  pipelineJanitor: 'functions/dray/pipeline-janitor.ts',
  versions: 'functions/dray/versions.ts',
  notify: 'functions/dray/notify.ts',
} as const

/** What looks at the tables of targets for `dray schema`. */
const SCHEMA_HANDLER = 'functions/dray/schema.ts'

/** What no state machine calls. */
export const outsideHandlers: readonly string[] = [...Object.values(triggerHandlers), SCHEMA_HANDLER]

/** The most that Lambda gives: a table may be rewritten. */
const SCHEMA_TIMEOUT_SECONDS = 900

/** Every handler that state machines call, by its path. */
export function reachingHandlers(workflows: readonly DeployedWorkflow[]): ReadonlyMap<string, ReachingHandler> {
  const databases = databasesOfAll(workflows)
  const references = workflows.flatMap(({ workflow }) => everyFunction(toStatesLanguage(workflow)))
  return new Map(
    references.map((reference): [string, ReachingHandler] => {
      const { handler } = reference
      const access = accessOf(handler, databases)
      return [handler, { ...reference, access, role: roleOf(handler, access) }]
    }),
  )
}

/** A task that several workflows run works with the databases of all of them. */
function databasesOfAll(workflows: readonly DeployedWorkflow[]): ReadonlyMap<string, StepDatabases> {
  const all = new Map<string, StepDatabases>()
  for (const { databases } of workflows) {
    for (const [step, { sources, targets, declared, ...more }] of databases) {
      const known = all.get(step)
      all.set(step, {
        sources: [...new Set([...(known?.sources ?? []), ...sources])].sort(),
        targets: [...new Set([...(known?.targets ?? []), ...targets])].sort(),
        declared: [...new Set([...(known?.declared ?? []), ...declared])].sort(),
        ...more,
      })
    }
  }
  return all
}

/** What looks at the tables of targets for `dray schema`, which calls it. */
export function schemaHandlerOf(workflows: readonly DeployedWorkflow[], environment: Environment): DeployedHandler {
  const access = accessOf(SCHEMA_HANDLER, databasesOfAll(workflows))
  const reference = { placeholder: 'schema', handler: SCHEMA_HANDLER, timeoutSeconds: SCHEMA_TIMEOUT_SECONDS }
  const engines = enginesOf(access, environment)
  return { ...reference, access, role: roleOf(SCHEMA_HANDLER, access), engines }
}

/**
 * Every handler that state machines call, with what it may reach. Throws `Configuration` when the environment does not
 * know databases that they need, or names a handler that there is not.
 */
export function handlersOf(
  workflows: readonly DeployedWorkflow[],
  environment: Environment,
): ReadonlyMap<string, DeployedHandler> {
  refuseUnknown(workflows, [environment])
  const handlers = new Map<string, DeployedHandler>()
  for (const [path, handler] of reachingHandlers(workflows)) {
    handlers.set(path, { ...handler, engines: enginesOf(handler.access, environment) })
  }
  checkReservations(environment, [...handlers.keys(), ...outsideHandlers])
  checkExpectations(environment, workflows)
  return handlers
}

/** Throws `Configuration` with every database that steps work with and an environment does not know. */
export function refuseUnknown(workflows: readonly DeployedWorkflow[], environments: readonly Environment[]): void {
  const steps = [...databasesOfAll(workflows).values()]
  const wanted = steps.flatMap(({ sources, targets, declared }) => [...sources, ...targets, ...declared])
  refuseUnknownDatabases(environments, wanted, 'Nothing was synthesized')
}

function enginesOf(access: HandlerAccess, { databases }: Environment): Engine[] {
  return [...new Set(access.databases.flatMap((database) => databases[database]?.engine ?? []))]
}

function checkReservations({ name, reservedConcurrency }: Environment, handlers: readonly string[]): void {
  const unknown = Object.keys(reservedConcurrency).filter((handler) => !handlers.includes(handler))
  if (unknown.length === 0) return
  throw new ConfigurationError(
    `The environment ${name} reserves concurrency for ${unknown.join(', ')}, which no workflow runs, so a database would not be spared; name one of ${handlers.join(', ')}.`,
  )
}

function checkExpectations({ name, expected }: Environment, workflows: readonly DeployedWorkflow[]): void {
  const names = workflows.map(({ workflow }) => workflow.name)
  const missing = names.filter((workflow) => !expected[workflow])
  const unknown = Object.keys(expected).filter((workflow) => !names.includes(workflow))
  if (missing.length + unknown.length === 0) return
  const faults = [
    ...missing.map((workflow) => `nothing of ${workflow}, so no alarm would watch it`),
    ...unknown.map((workflow) => `something of ${workflow}, which there is not`),
  ]
  throw new ConfigurationError(
    `The environment ${name} expects ${faults.join(', and ')}; mend its expected: { <workflow>: { successWithin: '26h' } } in infra/environments.ts.`,
  )
}
