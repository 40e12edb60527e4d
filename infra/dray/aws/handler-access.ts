import {
  batchPrefix,
  comparedPrefix,
  itemsPrefix,
  passedPrefix,
  planPrefix,
  roots,
  under,
} from 'dray/internal/staging/keys.ts'
import type { StepDatabases } from './step-databases.ts'

/** What a handler may reach. */
export interface HandlerAccess {
  /** Names of the databases whose URL it may read. */
  readonly databases: readonly string[]
  /** Patterns of the keys in the staging bucket, without a leading slash. */
  readonly staging: { readonly read: readonly string[]; readonly write: readonly string[] }
  /**
   * `partitions`: what of a run has landed; `steps`: how its steps ended; `outcomes`: and reads the pipelines;
   * `replicas`: and takes and gives back leases; `leases`: the same, and ends runs; `all`: writes `last_run`, and ends
   * no run.
   */
  readonly state: StateAccess
  /** Whether it tells other workflows that a run has ended. */
  readonly announces: boolean
  /** Whether it tells that a step or a run has begun or ended. */
  readonly tellsLineage: boolean
}

type StateAccess = 'none' | 'partitions' | 'steps' | 'outcomes' | 'replicas' | 'leases' | 'all'
type Databases = ReadonlyMap<string, StepDatabases>

/** What the handler `functions/<owner>/<stage>.ts` of a workflow needs for its work, and no more. */
export function accessOf(handler: string, databases: Databases): HandlerAccess {
  const [, owner = '', stage = ''] = /^functions\/([^/]+)\/([^/]+)\.ts$/.exec(handler) ?? []
  if (owner !== 'dray') return stepAccess(owner, stage, databases)
  return stage === 'schema' ? schemaAccess(databases) : controlAccess(stage, databases)
}

/** The tables of all targets, and nothing of runs. */
function schemaAccess(databases: Databases): HandlerAccess {
  const targets = [...databases.values()].flatMap((step) => step.targets)
  return {
    databases: [...new Set(targets)].sort(),
    staging: { read: [], write: [] },
    state: 'none',
    announces: false,
    tellsLineage: false,
  }
}

/** Pipelines of the same databases have the same access, and one role: an account has not many of these. */
function stepAccess(step: string, stage: string, databases: Databases): HandlerAccess {
  const {
    sources,
    targets,
    declared,
    isSql = false,
  } = databases.get(step) ?? ({ sources: [], targets: [], declared: [] } as StepDatabases)
  if (stage === 'run') {
    const staging = { read: [], write: [] }
    return {
      databases: [...new Set([...targets, ...declared])].sort(),
      staging,
      state: isSql ? 'all' : 'steps',
      announces: false,
      tellsLineage: true,
    }
  }
  const reached = { extract: sources, load: targets }[stage] ?? []
  return {
    databases: reached,
    staging: { read: [staged], write: writtenBy[stage] ?? [] },
    state: stage === 'load' ? 'partitions' : 'none',
    announces: false,
    tellsLineage: false,
  }
}

const staged = under(roots.runs)
const kept = under(roots.quarantine)
const findings = under(roots.findings)
const logs = under(roots.quarantineLog)
const plans = under(planPrefix('*', '*'))
const items = under(itemsPrefix('*', '*'))
const compared = under(comparedPrefix('*', '*'))
const anywhere = { run: '*', pipeline: '*', partition: '*' } as const

/** What a stage stages: an extract cannot put rows where a load looks for them. */
const writtenBy: Readonly<Record<string, readonly string[]>> = {
  extract: [under(batchPrefix('extracted', anywhere))],
  transform: [
    ...(['transformed', 'told'] as const).map((stage) => under(batchPrefix(stage, anywhere))),
    under(passedPrefix('*', '*')),
    kept,
    findings,
  ],
  // To the quarantine where a version before planned the run, which left no refused rows to Commit.
  load: [staged, kept],
}

const stateOfControl: Readonly<Record<string, StateAccess>> = {
  outcome: 'outcomes',
  reconcile: 'outcomes',
  tables: 'replicas',
  gather: 'replicas',
  finish: 'leases',
}

/** The control handlers work for every pipeline. */
function controlAccess(stage: string, databases: Databases): HandlerAccess {
  const reached = ['plan', 'commit', 'tables', 'reconcile'].includes(stage)
    ? [...databases.values()].flatMap(({ sources, targets }) => [...sources, ...targets])
    : []
  // Nothing but how a step has ended.
  const writesSteps = stage === 'outcome' || stage === 'reconcile'
  return {
    // Commit asks the source which rows are gone, and whether a key is written otherwise there.
    databases: [...new Set(reached)].sort(),
    // Plan looks up what is open in the quarantine. Commit sends there what the target has refused for good, and says
    // what has become of rows. A comparison leaves to its next call how far it has come.
    staging: {
      read:
        {
          plan: [staged, kept, logs],
          commit: [staged, kept],
          gather: [plans],
          reconcile: [compared, kept, logs],
        }[stage] ?? [],
      write:
        {
          plan: [staged],
          commit: [staged, kept, logs],
          tables: [plans, items],
          reconcile: [compared],
        }[stage] ?? [],
    },
    state: stateOfControl[stage] ?? 'all',
    announces: stage === 'finish',
    tellsLineage: !writesSteps && stage !== 'tables' && stage !== 'gather',
  }
}

/** The role of a handler: `extract-shop`, `transform`, `load-warehouse`, `plan`; of a SELECT `sql-warehouse`. */
export function roleOf(handler: string, { databases, state }: Pick<HandlerAccess, 'databases' | 'state'>): string {
  const [, owner = '', stage = ''] = /^functions\/([^/]+)\/([^/]+)\.ts$/.exec(handler) ?? []
  if (owner === 'dray') return stage
  return [stage !== 'run' ? stage : state === 'all' ? 'sql' : 'task', ...databases].join('-')
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
