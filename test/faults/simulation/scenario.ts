import { FATES, type FaultPlan } from './faults.ts'
import type { PipelineShape } from './models.ts'
import { Random } from './random.ts'

export interface RunPlan {
  readonly startSeconds: number
  /** The execution ends without its Finish after so many seconds, or not. */
  readonly endedAfterSeconds: number | null
  /** Then its handlers end with it: the machine was lost. Else somebody stopped the execution, and Lambdas go on. */
  readonly machineLost: boolean
}

/** What one schedule is made of; all of it drawn from a seed. */
export interface Scenario {
  readonly seed: number
  readonly shape: PipelineShape
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

export function drawScenario(seed: number, over: Partial<Scenario> = {}): Scenario {
  const random = new Random(seed)
  const shape = drawShape(random)
  const sharedCodes = shape.kind === 'incremental' && (shape.versioned || shape.partitionRows >= 100)
  const exact = shape.kind === 'full' || shape.lagSeconds === 0 || random.chance(0.7)
  const quiet = random.chance(0.05)
  const runs = Array.from({ length: random.integer(1, 3) }, () => ({
    startSeconds: random.pick([0, 10, 60, 300, 1_000, 8_000, 24_000]),
    endedAfterSeconds: !quiet && random.chance(0.15) ? random.pick([1, 20, 100, 1_000]) : null,
    machineLost: random.chance(0.5),
  }))
  return {
    seed,
    shape,
    sharedCodes,
    exact,
    missingCursors: sharedCodes || random.chance(0.6) ? 0 : random.integer(1, 3),
    missingKey: !sharedCodes && random.chance(0.2),
    initialRows: random.integer(0, 12),
    writers: random.integer(0, 5),
    longestWriterSeconds: exact ? random.pick([5, 100, 1_500]) : Math.floor(shape.lagSeconds / 2),
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
    ...over,
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
  }
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
