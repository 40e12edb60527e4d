import { FATES, type FaultPlan } from './faults.ts'
import type { PipelineShape } from './models.ts'
import { Random } from './random.ts'
import { CALM, drawWorld, type World, type WorldKind, worldKinds } from './world.ts'

/** What the schedule is about beside faults: the rule, and what is drawn less often. */
export const kinds = [
  'usual',
  'replace',
  'modes',
  'history',
  'deletes',
  'told',
  'append',
  'wide',
  ...worldKinds,
  'left',
] as const
export type Kind = (typeof kinds)[number]

export type ModeName = 'usual' | 'backfill' | 'keys' | 'replay' | 'resume'

export interface RunPlan {
  readonly startSeconds: number
  readonly mode: ModeName
  /** The execution ends without its Finish after so many seconds, or not. */
  readonly endedAfterSeconds: number | null
  /** Then its handlers end with it: the machine was lost. Else somebody stopped the execution, and Lambdas go on. */
  readonly machineLost: boolean
}

/** What one schedule is made of; all of it drawn from a seed. */
export interface Scenario {
  readonly seed: number
  readonly kind: Kind
  readonly shape: PipelineShape
  readonly world: World
  /** Several source rows are about the same row of the target. */
  readonly sharedCodes: boolean
  /** Whether open transactions of the source can be seen; where not, writers take less time than the lag. */
  readonly exact: boolean
  /** Rows whose cursor is NULL, and a row without a whole key. */
  readonly missingCursors: number
  readonly missingKey: boolean
  readonly initialRows: number
  readonly writers: number
  readonly longestWriterSeconds: number
  /** How likely a change of the source is a deletion; what is deleted may come back. */
  readonly deletions: number
  /** Nearly every row of the source is deleted once, and is back in the end. */
  readonly purgedAfterSeconds: number | null
  /** From then on the transform takes what it has rejected before, in runs that start later. */
  readonly repairedAfterSeconds: number | null
  /** The clock of the source is set back once, by less than the lag. */
  readonly sourceStepsBack: { readonly afterSeconds: number; readonly seconds: number } | null
  /** Milliseconds by which the clocks of the source and of the machines are wrong. */
  readonly sourceSkew: number
  readonly machineSkew: number
  readonly runs: readonly RunPlan[]
  readonly faults: FaultPlan
  /** How likely a task is delivered twice, late, or with its result lost. */
  readonly duplicates: number
  readonly late: number
  readonly resultsLost: number
  /** How likely a handler does not hear its deadline. */
  readonly deaf: number
  /** How likely a staged object is damaged before it is read. */
  readonly damage: number
}

const MINUTE = 60_000
const LESS_USUAL = ['replace', 'modes', 'history', 'deletes', 'told', 'append', ...worldKinds, 'left'] as const

/** Half of the schedules are of the usual kind; a few of the others have more partitions than a payload holds. */
function kindOf(seed: number): Kind {
  const place = seed % 10
  if (place < 5) return 'usual'
  const number = Math.floor(seed / 10) * 5 + place - 5
  return number % 200 === 7 ? 'wide' : (LESS_USUAL[number % LESS_USUAL.length] as Kind)
}

export function drawScenario(seed: number, over: Partial<Scenario> = {}): Scenario {
  const random = new Random(seed)
  const usual = drawUsual(seed, random)
  const kind = over.kind ?? kindOf(seed)
  return ordered({ ...usual, ...drawKind(kind, usual, random.fork()), kind, ...over })
}

/** Rows under other keys than the source's that are read in each run need a version: without one they are refused. */
function ordered(scenario: Scenario): Scenario {
  const { shape, missingCursors } = scenario
  const isReadAlways = shape.kind === 'incremental' && shape.nulls === 'include' && missingCursors > 0
  const isRefused = isReadAlways && shape.table === undefined && shape.load !== 'append'
  return isRefused ? { ...scenario, shape: { ...shape, versioned: true } } : scenario
}

function drawUsual(seed: number, random: Random): Scenario {
  const shape = drawShape(random)
  const sharedCodes =
    shape.kind === 'incremental' && (shape.versioned || shape.partitionRows === 2 || shape.partitionRows >= 100)
  const exact = shape.kind === 'full' || shape.lagSeconds === 0 || random.chance(0.7)
  const quiet = random.chance(0.05)
  const runs = Array.from({ length: random.integer(1, 3) }, () => ({
    startSeconds: random.pick([0, 10, 60, 300, 1_000, 8_000, 24_000]),
    mode: 'usual' as const,
    endedAfterSeconds: !quiet && random.chance(0.15) ? random.pick([1, 20, 100, 1_000]) : null,
    machineLost: random.chance(0.5),
  }))
  return {
    seed,
    kind: 'usual',
    shape,
    world: CALM,
    sharedCodes,
    exact,
    missingCursors: sharedCodes || random.chance(0.6) ? 0 : random.integer(1, 3),
    missingKey: !sharedCodes && random.chance(0.2),
    initialRows: random.integer(0, 12),
    writers: random.integer(0, 5),
    longestWriterSeconds: exact ? random.pick([5, 100, 1_500]) : Math.floor(shape.lagSeconds / 2),
    deletions: 0,
    purgedAfterSeconds: null,
    repairedAfterSeconds: null,
    sourceStepsBack:
      shape.lagSeconds > 0 && random.chance(0.2)
        ? { afterSeconds: random.pick([30, 400, 2_000]), seconds: random.integer(1, Math.floor(shape.lagSeconds / 2)) }
        : null,
    sourceSkew: random.pick([0, -10 * MINUTE, 10 * MINUTE]),
    machineSkew: random.pick([0, 10 * MINUTE]),
    runs: runs.sort((one, other) => one.startSeconds - other.startSeconds),
    faults: drawFaults(random, quiet),
    duplicates: quiet ? 0 : random.pick([0, 0, 0.05, 0.2]),
    late: quiet ? 0 : random.pick([0, 0, 0.02, 0.1]),
    resultsLost: quiet ? 0 : random.pick([0, 0, 0.03]),
    deaf: random.pick([0, 0.5, 1]),
    damage: quiet ? 0 : random.pick([0, 0, 0, 0, 0.05]),
  }
}

function drawShape(random: Random): PipelineShape {
  const kind = random.chance(0.25) ? 'full' : 'incremental'
  return {
    kind,
    nulls: random.pick(['error', 'include', 'exclude']),
    lagSeconds: random.pick([0, 0, 60, 300]),
    partitionRows: random.pick([1, 2, 3, 5, 100]),
    concurrency: random.integer(1, 3),
    versioned: kind === 'incremental' && random.chance(0.3),
    load: 'upsert',
    deletes: 'ignore',
    mostDeleted: 1,
  }
}

/** What is other than usual. */
function drawKind(kind: Kind, usual: Scenario, random: Random): Partial<Scenario> {
  const { shape } = usual
  const full: PipelineShape = { ...shape, kind: 'full', versioned: false }
  const everything = { sharedCodes: false, exact: true, sourceStepsBack: null, deletions: 0.25 }
  const runs = (modes: readonly ModeName[]) => drawRuns(usual, modes, random)
  const repairedAfterSeconds = random.pick([null, 100, 1_000, 9_000])
  switch (kind) {
    case 'usual':
      return {}
    case 'replace': {
      const isPurged = random.chance(0.2)
      return {
        ...everything,
        shape: { ...full, load: 'replace', ...(isPurged ? { mostLost: random.pick([0.1, 1]) } : {}) },
        ...(isPurged ? purged(random) : {}),
        runs: runs(['usual', 'usual', 'resume', 'keys']),
      }
    }
    case 'deletes': {
      const isPurged = random.chance(0.3)
      const deletes = random.pick(['hard', 'soft'] as const)
      return {
        ...everything,
        shape: { ...full, deletes, mostDeleted: isPurged ? random.pick([0.1, 1]) : 1 },
        ...(isPurged ? purged(random) : {}),
        world: { ...CALM, audits: random.chance(0.3) },
        runs: runs(['usual', 'usual', 'resume', 'keys']),
      }
    }
    case 'told': {
      const own: PipelineShape = random.chance(0.3) ? full : { ...shape, kind: 'incremental' }
      return {
        shape: { ...own, deletes: 'told' },
        ...uniqueCodes(usual),
        missingKey: false,
        repairedAfterSeconds,
        runs: runs(['usual', 'usual', 'replay', 'resume', ...(own.kind === 'full' ? [] : (['backfill'] as const))]),
      }
    }
    case 'append':
      return {
        shape: {
          ...shape,
          kind: 'incremental',
          nulls: random.pick(['error', 'exclude']),
          versioned: false,
          load: 'append',
        },
        ...uniqueCodes(usual),
        runs: runs(['usual', 'usual', 'resume']),
        // What has landed of an unfinished run is known by its plan only.
        damage: 0,
      }
    case 'history': {
      const isFull = random.chance(0.4)
      const own: PipelineShape = { ...(isFull ? full : { ...shape, kind: 'incremental' }), load: 'history' }
      return {
        ...(isFull ? everything : uniqueCodes(usual)),
        shape: { ...own, deletes: isFull && random.chance(0.7) ? 'close' : 'ignore' },
        repairedAfterSeconds,
        runs: runs(['usual', 'usual', 'resume', 'keys', 'replay', ...(isFull ? [] : (['backfill'] as const))]),
      }
    }
    case 'left': {
      const own: PipelineShape = random.chance(0.4) ? full : { ...shape, kind: 'incremental' }
      return {
        shape: { ...own, writes: random.pick(['new keys', 'known keys']) },
        world: { ...CALM, othersAfterSeconds: random.pick([0, 12, 70, 400, 3_000]) },
        ...uniqueCodes(usual),
        missingKey: false,
        initialRows: Math.max(4, usual.initialRows),
        writers: Math.max(2, usual.writers),
        runs: runs(['usual', 'usual', 'resume', 'keys', ...(own.kind === 'full' ? [] : (['backfill'] as const))]),
      }
    }
    case 'modes': {
      const modes = runs(['usual', 'backfill', 'keys', 'replay', 'resume', 'resume'])
      const check = repairedAfterSeconds === null ? null : random.pick(['fail', 'fail', 'warn', null] as const)
      return {
        shape: { ...shape, kind: 'incremental', ...(check === null ? {} : { check }) },
        // Of rows that share one, a single one that is read again must not come over a newer one.
        ...(shape.versioned ? {} : uniqueCodes(usual)),
        repairedAfterSeconds,
        runs: modes,
      }
    }
    case 'wide':
      return {
        shape: { ...shape, load: shape.kind === 'full' ? 'replace' : 'upsert', partitionRows: 1, versioned: false },
        ...uniqueCodes(usual),
        initialRows: random.integer(502, 512),
        writers: random.integer(0, 1),
        faults: { ...usual.faults, rate: usual.faults.rate / 20, pauses: 0 },
        damage: 0,
        duplicates: usual.duplicates / 20,
        late: usual.late / 20,
        resultsLost: usual.resultsLost / 20,
        runs: drawRuns(usual, ['resume'], random).slice(0, 2),
      }
    default:
      return drawWorldly(kind, usual, random)
  }
}

/** Schedules about what the databases do: each row of the source is a row of its own, and none lacks its key. */
function drawWorldly(kind: WorldKind, usual: Scenario, random: Random): Partial<Scenario> {
  const { shape, modes, ...drawn } = drawWorld(kind, usual.shape, random)
  const exact = drawn.exact ?? (usual.exact || shape.lagSeconds === 0 || shape.kind === 'full')
  const longest = exact ? usual.longestWriterSeconds : Math.floor(shape.lagSeconds / 2)
  return {
    shape,
    exact,
    sharedCodes: false,
    missingKey: false,
    sourceStepsBack: null,
    damage: shape.load === 'append' ? 0 : usual.damage,
    deletions: shape.kind === 'full' ? 0.25 : shape.table === undefined ? 0 : 0.15,
    longestWriterSeconds: drawn.exact === true ? Math.min(longest, 100) : longest,
    initialRows: Math.max(3, usual.initialRows),
    writers: Math.max(2, usual.writers),
    ...drawn,
    runs: drawRuns(usual, modes, random),
  }
}

/** Nearly all rows are deleted once, more than a guard bears whatever their share. */
function purged(random: Random): Pick<Scenario, 'initialRows' | 'purgedAfterSeconds'> {
  return { initialRows: random.integer(13, 18), purgedAfterSeconds: random.pick([5, 200, 5_000]) }
}

/**
 * As `usual` where each row of the source is a row of its own in the target, and open transactions can be seen where no
 * lag helps.
 */
function uniqueCodes(usual: Scenario): Partial<Scenario> {
  const exact = usual.exact || usual.shape.lagSeconds === 0
  return {
    sharedCodes: false,
    exact,
    longestWriterSeconds: exact ? usual.longestWriterSeconds : Math.floor(usual.shape.lagSeconds / 2),
  }
}

/** The first run is a usual one: the others have something to go on with. */
function drawRuns(usual: Scenario, modes: readonly ModeName[], random: Random): RunPlan[] {
  const more = Array.from({ length: random.integer(1, 2) }, () => ({
    startSeconds: random.pick([60, 300, 1_000, 8_000, 24_000]),
    mode: 'usual' as const,
    endedAfterSeconds: random.chance(0.2) ? random.pick([20, 100, 1_000]) : null,
    machineLost: random.chance(0.5),
  }))
  const runs = [...usual.runs, ...more].sort((one, other) => one.startSeconds - other.startSeconds)
  return runs.map((run, index) => ({ ...run, mode: index === 0 ? 'usual' : random.pick(modes) }))
}

function drawFaults(random: Random, quiet: boolean): FaultPlan {
  if (quiet) return { rate: 0, pauses: 0.1, fates: FATES }
  const some = FATES.filter(() => random.chance(0.5))
  return {
    rate: random.pick([0, 0.004, 0.01, 0.02, 0.05]),
    pauses: random.pick([0, 0.05, 0.3]),
    fates: some.length === 0 ? FATES : some,
  }
}
