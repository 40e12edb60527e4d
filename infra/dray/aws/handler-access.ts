import {
  findingsPrefix,
  quarantineLogPrefix,
  quarantinePrefix,
  stagingPrefix,
  under,
} from 'dray/internal/staging/keys.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import type { StepDatabases } from './step-databases.ts'

/** What a handler may reach. */
export interface HandlerAccess {
  /** Names of the databases whose URL it may read. */
  readonly databases: readonly string[]
  /** Patterns of the keys in the staging bucket, without a leading slash. */
  readonly staging: { readonly read: readonly string[]; readonly write: readonly string[] }
  /** `runs`: the metrics of runs only; `leases`: the pipelines, too, but not their `last_run`; `all`: that, too. */
  readonly state: StateAccess
  /** Whether it tells other workflows that a run has ended. */
  readonly announces: boolean
  /** Whether it tells that a step or a run has begun or ended. */
  readonly tellsLineage: boolean
}

type StateAccess = 'none' | 'runs' | 'leases' | 'all'
type Databases = ReadonlyMap<string, StepDatabases>

/** What the handler `functions/<owner>/<stage>.ts` of a workflow needs for its work, and no more. */
export function accessOf(handler: string, workflow: Workflow, databases: Databases): HandlerAccess {
  const [, owner = '', stage = ''] = /^functions\/([^/]+)\/([^/]+)\.ts$/.exec(handler) ?? []
  return owner === 'dray' ? controlAccess(stage, workflow, databases) : stepAccess(owner, stage, databases)
}

function stepAccess(step: string, stage: string, databases: Databases): HandlerAccess {
  const { sources, targets } = databases.get(step) ?? { sources: [], targets: [] }
  if (stage === 'run') {
    return { databases: targets, staging: { read: [], write: [] }, state: 'runs', announces: false, tellsLineage: true }
  }
  const batches = under(stagingPrefix('*', step))
  const reports = [quarantinePrefix('*', step), findingsPrefix('*', step)].map(under)
  return {
    databases: { extract: sources, load: targets }[stage] ?? [],
    staging: { read: [batches], write: stage === 'extract' ? [batches] : [batches, ...reports] },
    state: stage === 'load' ? 'runs' : 'none',
    announces: false,
    tellsLineage: false,
  }
}

/** The control handlers work for every pipeline of the workflow. */
function controlAccess(stage: string, workflow: Workflow, databases: Databases): HandlerAccess {
  const pipelines = workflow.steps.filter(({ kind }) => kind === 'pipeline').map(({ name }) => name)
  const staged = pipelines.map((name) => under(stagingPrefix('*', name)))
  const kept = pipelines.map((name) => under(quarantinePrefix(null, name)))
  const logs = pipelines.map((name) => under(quarantineLogPrefix(name)))
  const sources = pipelines.flatMap((name) => databases.get(name)?.sources ?? [])
  const targets = pipelines.flatMap((name) => databases.get(name)?.targets ?? [])
  // Commit asks the source which rows are gone, and whether a key is written otherwise there.
  const reached = ['plan', 'commit'].includes(stage) ? [...sources, ...targets] : []
  return {
    databases: [...new Set(reached)],
    // Plan looks up what is open in the quarantine. Commit sends there what the target has refused for good, and says
    // what has become of rows.
    staging: {
      read: { plan: [...staged, ...kept, ...logs], commit: [...staged, ...kept] }[stage] ?? [],
      write: { plan: staged, commit: [...staged, ...kept, ...logs] }[stage] ?? [],
    },
    state: stage === 'finish' ? 'leases' : 'all',
    announces: stage === 'finish',
    tellsLineage: true,
  }
}

/** Which part of a network a handler runs in; null: outside, where it may call whatever it likes. */
export type Reach = 'databases' | 'staging'

/**
 * Where a handler runs when the environment names a network: inside if it works with a database, and inside without a
 * way to any if it needs staged objects alone, as a transform does. Others call services that no endpoint leads to.
 */
export function reachOf({ databases, state, announces, tellsLineage }: HandlerAccess): Reach | null {
  if (databases.length > 0) return 'databases'
  return state === 'none' && !announces && !tellsLineage ? 'staging' : null
}

/** What both need: a control handler that several workflows share. */
export function unionOf(one: HandlerAccess, other: HandlerAccess): HandlerAccess {
  const both = (a: readonly string[], b: readonly string[]) => [...new Set([...a, ...b])]
  return {
    databases: both(one.databases, other.databases),
    staging: {
      read: both(one.staging.read, other.staging.read),
      write: both(one.staging.write, other.staging.write),
    },
    state: (['all', 'leases', 'runs'] as const).find((access) => [one.state, other.state].includes(access)) ?? 'none',
    announces: one.announces || other.announces,
    tellsLineage: one.tellsLineage || other.tellsLineage,
  }
}
