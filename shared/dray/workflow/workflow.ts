import { ConfigurationError } from '#dray/errors.ts'
import type { WrittenTable } from '#dray/messages/written-table.ts'
import { type Duration, secondsOf } from '#dray/pipeline/declare/duration.ts'
import { ownerOf } from '#dray/pipeline/declare/owner.ts'
import type { Schedule } from './cron.ts'
import { orderOf } from './graph.ts'

/**
 * What a step runs: a pipeline, a replica with the pipelines of all its tables, one of these tables, or a task of one
 * Lambda. Each is known by a name, which is also its function folder; a table's is that of its replica and its own. Or
 * the comparison of a pipeline's source with its target, which has no folder.
 */
export interface WorkflowUnit {
  readonly kind: 'pipeline' | 'replica' | 'table' | 'task' | 'reconcile'
  readonly name: string
  /** Of a table: its replica. */
  readonly of?: string
  /** Of a pipeline, and of a task that is SQL. */
  readonly written?: WrittenTable
  /** Of a pipeline: what events say has changed of it, `<source>/<entity>`. */
  readonly entity?: string | null
  /** Of a task: the databases of the tables that it says it works with. */
  readonly databases?: readonly string[]
  /** Of a comparison. */
  readonly reconciled?: ReconcileSettings
}

/** What is compared, and how. */
export interface ReconcileSettings {
  /** The name of the pipeline. */
  readonly pipeline: string
  /** Every row is read, whatever the digests say. */
  readonly deep: boolean
  /** The step fails when more rows than these differ; null for never. */
  readonly failAbove: number | null
}

/** A node of the workflow: a unit and the names of the steps that must have succeeded before it starts. */
export interface WorkflowStep extends WorkflowUnit {
  readonly after: readonly string[]
}

/** A run starts on each event of this kind on the bus. */
export interface EventTrigger {
  readonly source: string
  readonly detailType: string
}

export interface Workflow {
  readonly name: string
  /** In the order in which they were declared. */
  readonly steps: readonly WorkflowStep[]
  readonly schedules: readonly Schedule[]
  readonly events: readonly EventTrigger[]
  /** Seconds between the start of one run and that of the next which nothing but events has asked for; 0 for none. */
  readonly minInterval: number
  /** Who answers for it; null where nobody is named. */
  readonly owner?: string | null
}

export interface WorkflowOptions {
  readonly steps: readonly WorkflowStep[]
  readonly schedule?: Schedule | readonly Schedule[]
  readonly on?: EventTrigger | readonly EventTrigger[]
  /**
   * Events that come sooner after the start of the last run than this wait, and one run does the work of all of them:
   * `'15m'`. Schedules keep their times.
   */
  readonly minInterval?: Duration
  /** Who answers for it, a name and a contact: `'data team <data@example.org>'`. */
  readonly owner?: string
}

/**
 * State names end at 80 characters, and the longest is a step's name with `: partitions` or ` and 99 more` around it.
 */
const LONGEST_NAME = 50
/** A pipeline's name behind `reconcile-`: no state of such a step has `: partitions` in its name. */
const LONGEST_RECONCILE = 60
const KEBAB_CASE = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/
/** `functions/dray` holds the Lambdas that all workflows share. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(['dray'])

/**
 * A step of a workflow, which starts when all of `after` have succeeded; a step of `after` may be given by its name.
 */
export function run(
  unit: WorkflowUnit,
  options: { readonly after?: readonly (WorkflowUnit | string)[] } = {},
): WorkflowStep {
  const after = (options.after ?? []).map((dependency) =>
    typeof dependency === 'string' ? dependency : dependency.name,
  )
  const { kind, name, of, written, entity, databases, reconciled } = unit
  return {
    kind,
    name,
    after: [...new Set(after)],
    ...(of === undefined ? {} : { of }),
    ...(written === undefined ? {} : { written }),
    ...(entity === undefined ? {} : { entity }),
    ...(databases === undefined || databases.length === 0 ? {} : { databases }),
    ...(reconciled === undefined ? {} : { reconciled }),
  }
}

/** Starts a workflow on each event that has this source and detail type. Throws `Configuration` when one is empty. */
export function event(source: string, detailType: string): EventTrigger {
  if (source === '' || detailType === '') {
    throw new ConfigurationError(
      `event('${source}', '${detailType}') has an empty part and would match nothing; give the source and the detail type of the event.`,
    )
  }
  return { source, detailType }
}

/**
 * A DAG of steps and what starts it. Throws `Configuration` for a cycle, an unknown or duplicate step, a name that is
 * not kebab-case, a workflow without steps, and a `minInterval` without events.
 */
export function workflow(name: string, options: WorkflowOptions): Workflow {
  checkName('Workflow', name)
  if (options.steps.length === 0) {
    throw new ConfigurationError(
      `Workflow ${name} has no steps and would do nothing; add run(<pipeline>) to its steps.`,
    )
  }
  checkSteps(name, options.steps)
  orderOf(name, options.steps)
  const events = listOf(options.on)
  if (options.minInterval !== undefined && events.length === 0) {
    throw new ConfigurationError(
      `Workflow ${name} has a minInterval but no events, so there is nothing to hold back; give it \`on: event(…)\`, or remove minInterval.`,
    )
  }
  return {
    name,
    steps: [...options.steps],
    schedules: listOf(options.schedule),
    events,
    minInterval: options.minInterval === undefined ? 0 : secondsOf(options.minInterval),
    owner: ownerOf(`Workflow ${name}`, options.owner),
  }
}

function checkSteps(workflowName: string, steps: readonly WorkflowStep[]): void {
  const names = new Set<string>()
  for (const step of steps) {
    if (step.kind === 'table') checkTable(workflowName, step)
    else
      checkName(
        `Workflow ${workflowName}: step`,
        step.name,
        step.kind === 'reconcile' ? LONGEST_RECONCILE : LONGEST_NAME,
      )
    if (RESERVED_NAMES.has(step.name)) {
      throw new ConfigurationError(
        `Workflow ${workflowName}: a step cannot be named ${step.name}, since functions/${step.name} holds the Lambdas shared by all workflows; rename it.`,
      )
    }
    if (names.has(step.name)) {
      throw new ConfigurationError(
        `Workflow ${workflowName} runs ${step.name} twice, so its outcome would not be clear; remove one or rename it.`,
      )
    }
    names.add(step.name)
  }
  for (const step of steps) {
    for (const dependency of step.after) {
      if (!names.has(dependency)) {
        throw new ConfigurationError(
          `Workflow ${workflowName}: ${step.name} is to run after ${dependency}, which is not a step of the workflow; add run(${dependency}) to its steps or remove it from \`after\`.`,
        )
      }
    }
  }
}

/** Its name stands in those of states. */
function checkTable(workflowName: string, { name, of }: WorkflowStep): void {
  if (name.length <= LONGEST_NAME && /^[\w./-]+$/.test(name)) return
  throw new ConfigurationError(
    `Workflow ${workflowName}: ${name} cannot be a separate step, since states are named after it, in at most ${LONGEST_NAME} letters, digits, dots and lines; have what waits for it wait for all of ${of}.`,
  )
}

function checkName(what: string, name: string, longest = LONGEST_NAME): void {
  if (!KEBAB_CASE.test(name)) {
    throw new ConfigurationError(
      `${what} '${name}' is not named in kebab-case, so no folder, function or state could be named after it; use lower-case letters, digits and single hyphens, such as daily-update.`,
    )
  }
  if (name.length > longest) {
    throw new ConfigurationError(
      `${what} '${name}' has a name of ${name.length} characters, and the names of states and functions made from it would be too long; use at most ${longest}.`,
    )
  }
}

function listOf<T extends object>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return []
  return Array.isArray(value) ? [...value] : [value as T]
}
