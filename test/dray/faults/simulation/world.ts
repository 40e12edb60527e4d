import type { PipelineShape } from './models.ts'
import type { Random } from './random.ts'

/** What becomes of the target while runs are on: it goes back to a backup, is a new one, or another one for a while. */
export interface TargetEvent {
  readonly kind: 'restored' | 'new' | 'swapped'
  /** When the backup is taken, or the target left. */
  readonly atSeconds: number
  /** When it is put back. */
  readonly backSeconds: number
}

/** A time in the schedule. */
export interface Period {
  readonly fromSeconds: number
  readonly untilSeconds: number
}

/** What the databases do beside holding rows; one or two of these in a schedule that is about them. */
export interface World {
  /** Keys are rewritten in other capitals, and two rows may have one key in two spellings. */
  readonly respells: number
  /** Rows swap their labels, or take over that of a row that is gone. */
  readonly swaps: number
  readonly target: TargetEvent | null
  /** The state's table is lost. */
  readonly stateLostAfterSeconds: number | null
  /** Runs that start then are bound to another server, once `last_run` is of this one. */
  readonly elsewhere: Period | null
  /** The source is a replica, which replays nothing then. */
  readonly replica: Period | null
  /** So long before its transaction begins an application stamps a row at most. */
  readonly stampedBeforeSeconds: number
  /** How likely a row is stamped far in the future. */
  readonly futureStamps: number
  /** A policy hides rows, or a session is given some rows only. */
  readonly hides: (Period & { readonly by: 'policy' | 'limit' }) | null
  /** A trigger of the target drops rows, or keeps some from being deleted. */
  readonly trigger: 'drops rows' | 'keeps rows' | null
  /** Another pipeline is declared that writes the same table. */
  readonly rivalAfterSeconds: number | null
  /** When others have put rows into the target, or have taken some away, that the pipeline leaves or writes alone. */
  readonly othersAfterSeconds: number | null
  /** In the end, rows of the target are damaged, and reconcile has to find each. */
  readonly audits: boolean
}

export const CALM: World = {
  respells: 0,
  swaps: 0,
  target: null,
  stateLostAfterSeconds: null,
  elsewhere: null,
  replica: null,
  stampedBeforeSeconds: 0,
  futureStamps: 0,
  hides: null,
  trigger: null,
  rivalAfterSeconds: null,
  othersAfterSeconds: null,
  audits: false,
}

/** `limit` gives so many rows of a SELECT. */
export const LIMIT = 6

export const worldKinds = ['spellings', 'unique', 'targets', 'sources', 'triggers', 'rivals'] as const
export type WorldKind = (typeof worldKinds)[number]

interface Drawn {
  readonly shape: PipelineShape
  readonly world: World
  /** Whether the source shows its open transactions. */
  readonly exact?: boolean
  readonly modes: readonly ('usual' | 'backfill' | 'keys' | 'replay' | 'resume')[]
  readonly initialRows?: number
  readonly writers?: number
  readonly sharedCodes?: boolean
  readonly missingCursors?: number
  readonly deletions?: number
}

/** The pipeline and the world of a schedule of this kind. */
export function drawWorld(kind: WorldKind, usual: PipelineShape, random: Random): Drawn {
  const shape: PipelineShape = { ...usual, versioned: false }
  const full: PipelineShape = { ...shape, kind: 'full' }
  const incremental: PipelineShape = { ...shape, kind: 'incremental' }
  const audits = random.chance(0.3)
  const deleting: PipelineShape = { ...full, deletes: random.pick(['hard', 'hard', 'soft']) }
  const usualOrResumed = ['usual', 'usual', 'resume'] as const
  switch (kind) {
    case 'spellings':
      if (random.chance(0.4)) {
        return {
          shape: { ...incremental, nulls: random.pick(['error', 'exclude']), table: 'spelled' },
          world: CALM,
          modes: ['usual', 'usual', 'resume'],
          sharedCodes: true,
          missingCursors: 0,
          deletions: 0,
          initialRows: random.integer(6, 12),
        }
      }
      return {
        shape: { ...random.pick([incremental, { ...full, deletes: 'hard' as const }]), table: 'folded' },
        world: { ...CALM, respells: random.pick([0.2, 0.5]), audits },
        modes: ['usual', 'usual', 'resume', 'replay'],
      }
    case 'unique':
      return {
        shape: { ...random.pick([incremental, full, { ...full, deletes: 'hard' as const }]), table: 'labelled' },
        world: { ...CALM, swaps: random.pick([0.3, 0.6]), audits },
        modes: ['usual', 'usual', 'resume', 'replay'],
      }
    case 'targets': {
      const history: PipelineShape = { ...incremental, load: 'history' }
      const append: PipelineShape = { ...incremental, load: 'append', nulls: random.pick(['error', 'exclude']) }
      const replacing: PipelineShape = { ...full, load: 'replace' }
      return {
        shape: random.pick([incremental, incremental, history, append, deleting, replacing]),
        world: drawTargets(random),
        modes: usualOrResumed,
      }
    }
    case 'sources':
      return drawSources(random.integer(0, 4), { incremental, deleting }, random)
    case 'triggers': {
      const keeping = { shape: { ...deleting, deletes: 'hard' as const }, trigger: 'keeps rows' as const }
      const loads = [
        incremental,
        { ...incremental, load: 'history' as const },
        deleting,
        { ...full, load: 'replace' as const },
      ]
      const dropping = { shape: random.pick(loads), trigger: 'drops rows' as const }
      const { shape: drawn, trigger } = random.pick([keeping, dropping, dropping])
      return { shape: drawn, world: { ...CALM, trigger, audits }, modes: usualOrResumed }
    }
    case 'rivals': {
      const loads = [deleting, { ...full, load: 'replace' as const }, { ...incremental, load: 'history' as const }]
      return {
        shape: random.pick(loads),
        world: { ...CALM, rivalAfterSeconds: random.pick([0, 30, 400, 5_000]) },
        modes: usualOrResumed,
      }
    }
  }
}

function drawTargets(random: Random): World {
  if (random.chance(0.2)) return { ...CALM, stateLostAfterSeconds: random.pick([40, 500, 9_000]) }
  const atSeconds = random.pick([0, 5, 40, 400, 3_000])
  const backSeconds = atSeconds + random.pick([10, 100, 1_000, 9_000])
  return { ...CALM, target: { kind: random.pick(['restored', 'restored', 'new', 'swapped']), atSeconds, backSeconds } }
}

function drawSources(
  which: number,
  { incremental, deleting }: Readonly<Record<'incremental' | 'deleting', PipelineShape>>,
  random: Random,
): Drawn {
  const fromSeconds = random.pick([20, 300, 2_000])
  const period: Period = { fromSeconds, untilSeconds: fromSeconds + random.pick([200, 2_000, 20_000]) }
  const usualOrResumed = ['usual', 'usual', 'resume'] as const
  const moved: PipelineShape = { ...incremental, load: random.pick(['upsert', 'upsert', 'history']) }
  const nulls = 'exclude' as const
  switch (which) {
    case 0:
      return { shape: moved, world: { ...CALM, elsewhere: period }, modes: ['usual', 'usual', 'keys', 'backfill'] }
    case 1: {
      const lagSeconds = random.pick([60, 300])
      const shape: PipelineShape = { ...moved, nulls, lagSeconds }
      return { shape, world: { ...CALM, replica: period }, exact: false, modes: usualOrResumed }
    }
    case 2: {
      const shape: PipelineShape = { ...moved, lagSeconds: 2 }
      return { shape, world: { ...CALM, stampedBeforeSeconds: 2 }, exact: true, modes: usualOrResumed }
    }
    case 3: {
      // A row of the future is loaded by its key, and its stamp is mended later: a version would hold it back.
      const shape: PipelineShape = { ...moved, nulls, versioned: false }
      return { shape, world: { ...CALM, futureStamps: 0.3 }, modes: ['usual', 'usual', 'keys'] }
    }
    default: {
      const by = random.pick(['policy', 'limit'] as const)
      const world: World = { ...CALM, hides: { ...period, by } }
      const few = { partitionRows: random.pick([1, 2]), deletes: 'hard' as const, mostDeleted: 1 }
      return { shape: { ...deleting, ...few }, world, modes: ['usual'], initialRows: 12, writers: 1 }
    }
  }
}
