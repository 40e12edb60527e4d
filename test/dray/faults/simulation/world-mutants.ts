import type { PipelineShape } from './models.ts'
import type { Mutant } from './mutant.ts'
import type { Scenario } from './scenario.ts'
import { CALM, type Period, type World } from './world.ts'

const PLAN = 'shared/dray/pipeline/stages/plan.ts'
const RAISE_OVER = 'shared/dray/pipeline/landing/raise-over.ts'
const COMMIT = 'shared/dray/pipeline/stages/commit.ts'
const TRANSFORM = 'shared/dray/pipeline/stages/transform.ts'
const LOAD = 'shared/dray/pipeline/stages/load.ts'
const SET_LAST_RUN = 'shared/dray/pipeline/stages/set-last-run.ts'
const GONE_KEYS = 'shared/dray/pipeline/landing/gone-keys.ts'
const DELETE_GONE = 'shared/dray/pipeline/landing/delete-gone.ts'
const SOURCE_KEYS = 'shared/dray/pipeline/landing/source-keys.ts'
const CLOSE_TARGET = 'shared/dray/pipeline/landing/close-target.ts'
const RENAMED = 'shared/dray/pipeline/landing/renamed-keys.ts'
const SECOND_TRY = 'shared/dray/pipeline/landing/second-try.ts'
const REPLACEMENT = 'shared/dray/pipeline/landing/replacement.ts'
const HISTORY = 'shared/dray/pipeline/landing/history-decisions.ts'
const LEDGER = 'shared/dray/pipeline/landing/ledger.ts'
const MARK = 'shared/dray/pipeline/landing/mark.ts'
const CLAIM = 'shared/dray/pipeline/landing/claim.ts'
const STARTING_POINT = 'shared/dray/pipeline/plan/starting-point.ts'
const SOURCE_IDENTITY = 'shared/dray/pipeline/plan/source-identity.ts'
const WAITING = 'shared/dray/pipeline/plan/waiting-rows.ts'
const HORIZON = 'shared/dray/database/postgres/horizon.ts'
const CLOSE_LANDED = 'shared/dray/pipeline/quarantine/close-landed.ts'
const RECONCILE = 'shared/dray/pipeline/inspect/reconciling.ts'

const shape: PipelineShape = {
  kind: 'incremental',
  nulls: 'exclude',
  lagSeconds: 0,
  partitionRows: 3,
  concurrency: 2,
  versioned: false,
  load: 'upsert',
  deletes: 'ignore',
  mostDeleted: 1,
}
const full: PipelineShape = { ...shape, kind: 'full', deletes: 'hard' }
const during: Period = { fromSeconds: 20, untilSeconds: 20_000 }

const EXACT = { exact: true, sharedCodes: false, sourceStepsBack: null, writers: 5, initialRows: 10 } as const
const UNTROUBLED = { mode: 'usual', endedAfterSeconds: null, machineLost: false } as const
const runsAt = (...seconds: readonly number[]) => seconds.map((startSeconds) => ({ ...UNTROUBLED, startSeconds }))
const RUNS = runsAt(0, 300, 8_000)
const SOURCES = { ...EXACT, kind: 'sources', runs: RUNS } as const

function about(world: Partial<World>, over: Partial<Scenario>): Partial<Scenario> {
  return { ...over, world: { ...CALM, ...world } }
}

const RESPELLED = about(
  { respells: 0.7 },
  { kind: 'spellings', shape: { ...full, table: 'folded' }, writers: 4, initialRows: 10 },
)
const SWAPPED = about(
  { swaps: 0.6 },
  { kind: 'unique', shape: { ...full, table: 'labelled' }, writers: 4, initialRows: 10 },
)
const NEW_TARGET = { kind: 'new', atSeconds: 300, backSeconds: 2_000 } as const
const restored = (load: PipelineShape['load']) =>
  about({ target: NEW_TARGET }, { ...EXACT, kind: 'targets', shape: { ...shape, load }, damage: 0 })
/** An append is stopped half-way, and the state is lost before the next run. */
const LOST_WITH_STATE = about(
  { stateLostAfterSeconds: 9_000 },
  {
    ...EXACT,
    kind: 'targets',
    shape: { ...shape, load: 'append', partitionRows: 1 },
    damage: 0,
    faults: { rate: 0, pauses: 0.3, fates: ['pause before'] },
    runs: [...runsAt(0, 4_000), { ...UNTROUBLED, startSeconds: 8_000, endedAfterSeconds: 150, machineLost: true }],
  },
)
const ENTRIES: Partial<Scenario> = { kind: 'deletes', shape: full, initialRows: 12, writers: 5 }

export const keyMutants: readonly Mutant[] = [
  {
    bug: 'rows are deleted whose key the source writes in other capitals',
    file: GONE_KEYS,
    edits: [[/sql\.raw\(isHeld\)/g, "sql.raw(isHeld.replace(' in (', ' collate binary in ('))"]],
    over: RESPELLED,
  },
  {
    bug: 'a row takes the place of one in another spelling that the source has, too',
    file: RENAMED,
    edits: [['!found[index]?.some((one) => text(one) === text(spelling))', 'true']],
    over: RESPELLED,
  },
  {
    bug: 'of two new spellings of a key one overwrites the other',
    file: RENAMED,
    edits: [['rows.length === 1 ? rows.map(({ place }) => place) : []', 'rows.map(({ place }) => place)']],
    over: RESPELLED,
  },
  {
    bug: 'a row whose key is rewritten stays in the quarantine for good',
    file: SECOND_TRY,
    edits: [['(_, place) => renamed.has(place), true)', '(_, place) => renamed.has(place), false)']],
    over: RESPELLED,
  },
  {
    bug: 'rows are deleted that the run has loaded a moment before',
    file: DELETE_GONE,
    edits: [['of [source, ...loaded])', 'of [source].concat(loaded.slice(loaded.length)))']],
    over: { kind: 'deletes', shape: full, deletions: 0.6, initialRows: 10, writers: 5 },
  },
  {
    bug: 'rows that another one keeps out are not tried again',
    file: CLOSE_TARGET,
    edits: [['planned.triesAgain === true && known.refused.length > 0', 'planned.triesAgain !== true']],
    over: SWAPPED,
  },
  {
    bug: 'refused rows are tried again before those are deleted that keep them out',
    file: CLOSE_TARGET,
    edits: [
      ['const deletion = await deleteBetween(', 'const deletion = async () => deleteBetween('],
      ['return { ...deletion, landed: known }', 'return { ...(await deletion()), landed: known }'],
      ['return { ...deletion, landed: sums }', 'return { ...(await deletion()), landed: sums }'],
    ],
    over: SWAPPED,
  },
  {
    bug: 'rows of two partitions that swap their values keep each other out for good',
    file: SECOND_TRY,
    edits: [['await attemptTogether(work, refused)', 'null']],
    over: { ...SWAPPED, shape: { ...full, deletes: 'ignore', partitionRows: 1, table: 'labelled' } },
  },
]

export const vanishingMutants: readonly Mutant[] = [
  {
    bug: 'rows that a trigger keeps from being deleted are counted as deleted',
    file: DELETE_GONE,
    edits: [['deleted !== counts.gone || left.rows !== counts.rows - counts.gone', 'deleted < 0']],
    over: about(
      { trigger: 'keeps rows' },
      { kind: 'triggers', shape: full, deletions: 0.6, initialRows: 10, writers: 4 },
    ),
  },
  {
    bug: 'rows that a trigger drops as they are swapped in are not missed',
    file: REPLACEMENT,
    edits: [['if (affected !== gathered) throw', 'if (affected > gathered) throw']],
    over: about(
      { trigger: 'drops rows' },
      { kind: 'triggers', shape: { ...shape, kind: 'full', load: 'replace' }, initialRows: 12, writers: 4 },
    ),
  },
  {
    bug: 'a replace swaps the few rows in that a source has while it is reloaded',
    file: REPLACEMENT,
    edits: [['if (old - gathered <= most) return', 'if (old >= 0) return']],
    over: {
      kind: 'replace',
      shape: { ...shape, kind: 'full', load: 'replace', mostLost: 0.1 },
      initialRows: 18,
      purgedAfterSeconds: 200,
    },
  },
  {
    bug: 'the keys that a limited session gives are taken for all',
    file: SOURCE_KEYS,
    edits: [['if (whole.given === counted) return staged', 'if (whole.given <= counted) return staged']],
    over: about(
      { hides: { ...during, by: 'limit' } },
      { ...SOURCES, shape: { ...full, partitionRows: 2 }, initialRows: 12, writers: 1 },
    ),
  },
  {
    bug: 'a version is written that equals the one before it',
    file: HISTORY,
    edits: [
      [
        'else if (layout.differs(row, known) || layout.differsElsewhere(row, known)) differing',
        'else if (known !== undefined) differing',
      ],
      [' || !(differs || layout.differsElsewhere(row, known))', ''],
      ['else if (!differs) write', 'else if (place < 0) write'],
    ],
    also: {
      file: 'shared/dray/pipeline/landing/history.ts',
      edits: [['merged.rejected.length === 0 ? await heldBefore(layout, close) : []', '[]']],
    },
    over: { kind: 'history' },
  },
]

export const timeMutants: readonly Mutant[] = [
  {
    bug: 'the window ends past what a replica has replayed',
    file: HORIZON,
    edits: [['least(least(lagged, oldest), replayed)', 'least(lagged, oldest)']],
    over: about(
      { replica: during },
      { ...SOURCES, shape: { ...shape, lagSeconds: 60 }, exact: false, longestWriterSeconds: 30 },
    ),
  },
  {
    bug: 'stamps that are older than their transactions are passed over',
    file: HORIZON,
    edits: [['STAMPED_BEFORE = 2_000_000n', 'STAMPED_BEFORE = 0n']],
    over: about(
      { stampedBeforeSeconds: 2 },
      { ...SOURCES, shape: { ...shape, lagSeconds: 2 }, longestWriterSeconds: 100 },
    ),
  },
  {
    bug: 'nothing is said of rows that lie far in the future',
    file: WAITING,
    edits: [['if (rows === 0) return null', 'if (rows >= 0) return null']],
    over: about({ futureStamps: 0.3 }, { ...SOURCES, shape }),
  },
]

export const bindingMutants: readonly Mutant[] = [
  {
    bug: 'rows of another server are read as if they were those of the source',
    file: SOURCE_IDENTITY,
    edits: [["if (kinship === 'other' || kinship === 'behind') throw", "if (kinship === 'behind') throw"]],
    over: about({ elsewhere: during }, { ...SOURCES, shape }),
  },
  {
    bug: 'last_run does not say which source it is of',
    file: COMMIT,
    edits: [['step.lastRunAfter, planned.source, planned.follows, answers.counted)', 'step.lastRunAfter)']],
    over: about({ elsewhere: during }, { ...SOURCES, shape }),
  },
  ...(['upsert', 'history', 'append'] as const).map((load) => ({
    bug: `last_run of a former target is taken for that of a new one (${load})`,
    file: PLAN,
    edits: [['whereToStart(pipeline, lastRun, mark, {', 'whereToStart(pipeline, lastRun, lastRun, {'] as const],
    over: restored(load),
  })),
  {
    bug: 'of the two marks the newer one counts',
    file: STARTING_POINT,
    edits: [['isBehind ? [mark, lastRun] : [lastRun, mark]', 'isBehind ? [lastRun, mark] : [mark, lastRun]']],
    over: restored('upsert'),
  },
  {
    bug: 'an append goes on from a last_run that is older than the target',
    file: STARTING_POINT,
    edits: [["if (load.kind === 'append')\n", "if (load.kind === 'append' && isBehind)\n"]],
    over: about(
      { stateLostAfterSeconds: 2_000 },
      { ...EXACT, kind: 'targets', shape: { ...shape, load: 'append' }, damage: 0 },
    ),
  },
  {
    bug: 'what an append has landed before its machine and the state were lost is appended again',
    file: 'shared/dray/pipeline/stages/draft-run.ts',
    edits: [['isOther ? await partlyLanded(pipeline, mark, services) : null', 'null']],
    over: LOST_WITH_STATE,
  },
  {
    bug: 'the target is not marked when rows have landed in it',
    file: MARK,
    edits: [['await changeFence(database, name, { mark: window.hi })', 'void changeFence']],
    over: { kind: 'append' },
  },
  {
    bug: 'what sets last_run leaves the mark of the target as it is',
    file: SET_LAST_RUN,
    edits: [['await setMark(database, pipeline.name, lastRun, known?.epoch ?? 0)', 'void [setMark, known]']],
    over: LOST_WITH_STATE,
  },
  {
    bug: 'what sets last_run leaves it as it is, and sets the mark of the target alone',
    file: SET_LAST_RUN,
    edits: [['await state.setLastRun(pipeline.name, lastRun, now(), kept)', 'void [state.setLastRun, now, kept]']],
    over: restored('append'),
  },
  {
    bug: 'in a new target a run of before goes on without a fence',
    file: LEDGER,
    edits: [
      ['  if (current === null) {\n    throw', '  if (current === null) return\n  if (current < 0n) {\n    throw'],
    ],
    over: about(
      { target: { kind: 'new', atSeconds: 0, backSeconds: 300 } },
      {
        ...EXACT,
        kind: 'targets',
        shape: { ...shape, partitionRows: 1 },
        faults: { rate: 0, pauses: 0.5, fates: ['pause before'] },
        runs: runsAt(0),
      },
    ),
  },
  {
    bug: 'a run of a new state waits until as many have failed as epochs are missing',
    file: RAISE_OVER,
    edits: [['if (!(error instanceof Fenced)) throw error', 'if (error instanceof Error) throw error']],
    over: about({ stateLostAfterSeconds: 2_000 }, { ...EXACT, kind: 'targets', shape }),
  },
  {
    bug: 'two deliveries of one Plan at once, in a new state, fail each other for good',
    file: RAISE_OVER,
    edits: [
      [
        'if (known.epoch !== lease.epoch) {',
        'if (known.epoch !== lease.epoch) throw error\n    if (known.epoch < 0) {',
      ],
    ],
    over: about(
      { stateLostAfterSeconds: 2_000 },
      {
        ...EXACT,
        kind: 'targets',
        shape,
        duplicates: 0.5,
        faults: { rate: 0, pauses: 0.3, fates: ['pause before'] },
        runs: runsAt(0, 8_000, 24_000),
      },
    ),
  },
  {
    bug: 'two pipelines that take rows away write one table',
    file: CLAIM,
    edits: [['if (other === undefined) return\n', 'if (other !== null) return\n']],
    over: about({ rivalAfterSeconds: 30 }, { kind: 'rivals', shape: full }),
  },
  {
    bug: 'a pipeline that takes rows away writes a table that another one only adds to',
    file: CLAIM,
    edits: [['areInTheWay(claimOf(one.alone), written)', 'claimOf(one.alone).alone !== null']],
    over: about({ rivalAfterSeconds: 0 }, { kind: 'rivals', shape: full }),
  },
  {
    bug: 'a pipeline does not say which table it writes',
    file: CLAIM,
    edits: [['await enter({ writtenTable, alone })', 'void alone']],
    over: about({ rivalAfterSeconds: 400 }, { kind: 'rivals', shape: full }),
  },
]

export const keepingMutants: readonly Mutant[] = [
  {
    bug: 'an entry of the quarantine stays open though its row has landed',
    file: COMMIT,
    edits: [['await closeLanded(pipeline, input, planned, services)\n', 'void closeLanded\n']],
    over: ENTRIES,
  },
  {
    bug: 'entries are closed whose rows no run has met',
    file: CLOSE_LANDED,
    edits: [
      [
        'rows.find((row) => replaces(pipeline, planned, row, entry))',
        '(rows.find((row) => replaces(pipeline, planned, row, entry)) ?? {})',
      ],
    ],
    over: { ...EXACT, kind: 'usual', shape },
  },
  {
    bug: 'what was found wrong in a row that was loaded is not kept',
    file: TRANSFORM,
    edits: [['aside.findings.push(kept)', 'void kept']],
  },
  {
    bug: 'findings are not counted',
    file: LOAD,
    edits: [['findings: input.findings?.rows ?? 0,', 'findings: 0,']],
  },
  {
    bug: 'reconcile passes over rows that have an open entry in the quarantine',
    file: RECONCILE,
    edits: [['if (found === undefined && isWaiting) return', 'if (isWaiting) return']],
    over: about({ audits: true }, { ...ENTRIES, deletions: 0.2 }),
  },
  {
    bug: 'reconcile does not look for rows that the source has no more',
    file: RECONCILE,
    edits: [['extra: () => this.#findExtra(),', 'extra: async () => true,']],
    over: about({ audits: true }, ENTRIES),
  },
  {
    bug: 'reconcile takes a row for equal that is there',
    file: RECONCILE,
    edits: [
      ['if (found !== undefined && columns.length === 0) return nothing', 'if (found !== undefined) return nothing'],
    ],
    over: about({ audits: true }, ENTRIES),
  },
]

export const worldMutants: readonly Mutant[] = [
  ...keyMutants,
  ...vanishingMutants,
  ...timeMutants,
  ...bindingMutants,
  ...keepingMutants,
]
