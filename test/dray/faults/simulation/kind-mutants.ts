import type { PipelineShape } from './models.ts'
import type { Mutant } from './mutant.ts'
import type { Scenario } from './scenario.ts'

const PLAN = 'shared/dray/pipeline/stages/plan.ts'
const MAP_ITEMS = 'shared/dray/pipeline/stages/map-items.ts'
const LOAD_ROWS = 'shared/dray/pipeline/landing/load-rows.ts'
const COMMIT = 'shared/dray/pipeline/stages/commit.ts'
const REPLACEMENT = 'shared/dray/pipeline/landing/replacement.ts'
const CLOSE_TARGET = 'shared/dray/pipeline/landing/close-target.ts'
const DELETE_GONE = 'shared/dray/pipeline/landing/delete-gone.ts'
const SECOND_TRY = 'shared/dray/pipeline/landing/second-try.ts'
const HISTORY = 'shared/dray/pipeline/landing/history.ts'
const DECISIONS = 'shared/dray/pipeline/landing/history-decisions.ts'
const CHECKS = 'shared/dray/pipeline/checks/check-pipeline.ts'
const RESUME = 'shared/dray/pipeline/landing/resume.ts'

const shape: PipelineShape = {
  kind: 'full',
  nulls: 'exclude',
  lagSeconds: 0,
  partitionRows: 3,
  concurrency: 2,
  versioned: false,
  load: 'upsert',
  deletes: 'ignore',
  mostDeleted: 1,
}
const ZOMBIE_COMMITS: Partial<Scenario> = {
  deaf: 1,
  faults: { rate: 0.04, pauses: 0.1, fates: ['stall before', 'reply lost'] },
}
const COMMITS_AT_ONCE: Partial<Scenario> = {
  duplicates: 0.6,
  late: 0,
  faults: { rate: 0, pauses: 0.5, fates: ['pause before'] },
}
const DELETED: Partial<Scenario> = { deletions: 0.6, initialRows: 10, writers: 4 }
const RESUMED: Partial<Scenario> = {
  kind: 'modes',
  shape: { ...shape, kind: 'incremental', partitionRows: 2 },
  sharedCodes: false,
  exact: true,
  sourceStepsBack: null,
  initialRows: 10,
  writers: 3,
}
const ended = { endedAfterSeconds: null, machineLost: true }

export const replaceMutants: readonly Mutant[] = [
  {
    bug: 'the rows are swapped in before the last partition has been gathered (dlt#3025)',
    file: PLAN,
    edits: [
      [
        'const all = partitions.map((partition) => ({ partition }))',
        'const all = partitions.map((partition) => ({ partition })).slice(0, Math.max(1, partitions.length - 1))',
      ],
    ],
    also: {
      file: COMMIT,
      edits: [['if (sums.partitions !== planned.partitions.length) {', 'if (sums.partitions < 0) {']],
    },
    over: { kind: 'replace', initialRows: 12 },
  },
  {
    bug: 'the table is emptied when the run starts (airbyte#11251)',
    file: REPLACEMENT,
    edits: [
      [
        'sql`delete from ${tableName({ table: nextTable(definition.table) })}`',
        'sql`delete from ${tableName(definition)}`',
      ],
    ],
    over: { kind: 'replace' },
  },
  {
    bug: 'the rows of a replacement are written into the table itself',
    file: LOAD_ROWS,
    edits: [["kind === 'replace' && isWholeRun ? nextTable", "kind === 'replace' && !isWholeRun ? nextTable"]],
    over: { kind: 'replace' },
  },
  {
    bug: 'what a dead run has gathered is swapped in along with the rows of the next',
    file: REPLACEMENT,
    edits: [
      ['if (await hasLanded(pipeline, run.runId)) return', 'if (hasLanded !== null) return'],
      ['if (gathered !== rows) {', 'if (gathered < rows) {'],
    ],
    over: { kind: 'replace', deletions: 0.5 },
  },
  {
    bug: 'a Commit that was overtaken swaps its rows in',
    file: REPLACEMENT,
    edits: [['      await guard()\n      if', '      if']],
    over: { kind: 'replace', ...ZOMBIE_COMMITS },
  },
  {
    bug: 'two Commits that swap at once fail each other for good',
    file: REPLACEMENT,
    edits: [['if (await isClosed(swap)) return sumOfLedger(database, pipeline.name, run.runId)\n', '']],
    over: {
      kind: 'replace',
      ...COMMITS_AT_ONCE,
      duplicates: 1,
      late: 0.3,
      damage: 0,
      faults: { rate: 0, pauses: 0.2, fates: ['pause before'] },
      initialRows: 3,
      writers: 0,
    },
  },
]

export const deletingMutants: readonly Mutant[] = [
  {
    bug: 'deletes without a guard: nearly all of the target goes',
    file: DELETE_GONE,
    edits: [['if (gone <= most) return', 'if (gone >= 0) return']],
    over: {
      kind: 'deletes',
      shape: { ...shape, deletes: 'hard', mostDeleted: 0.1 },
      initialRows: 18,
      purgedAfterSeconds: 200,
    },
  },
  {
    bug: 'rows that the source has are deleted',
    file: 'shared/dray/pipeline/landing/gone-keys.ts',
    edits: [['return sql.join([sql`not (${this.#isStaying})`, ...this.#isOwned], sql` and `)', 'return sql`(1 = 1)`']],
    also: {
      file: DELETE_GONE,
      edits: [['deleted !== counts.gone || left.rows !== counts.rows - counts.gone', 'deleted < 0']],
    },
    over: { kind: 'deletes', ...DELETED },
  },
  {
    bug: 'a Commit that was overtaken deletes what has come back',
    file: CLOSE_TARGET,
    edits: [["await checkFence(database, pipeline.name, input.epoch, 'update')\n", '']],
    over: { kind: 'deletes', ...DELETED, ...ZOMBIE_COMMITS },
  },
  {
    bug: 'a second Commit says that the run has deleted nothing',
    file: DELETE_GONE,
    edits: [['if (before !== null) return before\n', 'if (before !== null) return { deleted: 0, notes: [] }\n']],
    also: { file: CLOSE_TARGET, edits: [['deleted: before?.deleted ?? 0', 'deleted: 0']] },
    over: { kind: 'deletes', ...DELETED, ...COMMITS_AT_ONCE },
  },
  {
    bug: 'rows that are refused a second time are lost',
    file: CLOSE_TARGET,
    edits: [['      await quarantineRefused(again, left)\n', '']],
    over: { kind: 'deletes', initialRows: 10 },
  },
  {
    bug: 'rows that a second try has landed stay in the counts of the quarantine',
    file: SECOND_TRY,
    edits: [['{ ...this.#tried, quarantined: -rows }', '{ ...this.#tried, quarantined: 0 }']],
    over: {
      kind: 'usual',
      shape: { ...shape, kind: 'incremental', versioned: true },
      sharedCodes: true,
      initialRows: 12,
    },
  },
  {
    bug: 'rows that are marked as deleted are marked anew by each run',
    file: 'shared/dray/pipeline/landing/gone-keys.ts',
    edits: [["if (deletes.kind !== 'soft' || deletes.field === null) return null", 'return null']],
    over: { kind: 'deletes', shape: { ...shape, deletes: 'soft' }, ...DELETED },
  },
  {
    bug: 'what is gone is not closed in the history',
    file: HISTORY,
    edits: [['closed += rows.length', 'closed += group.length']],
    also: {
      file: DELETE_GONE,
      edits: [['return closeVersions(pipeline, keys, at, { signal })', 'return Promise.resolve(keys.length)']],
    },
    over: { kind: 'history', shape: { ...shape, load: 'history', deletes: 'close' }, ...DELETED },
  },
]

export const historyMutants: readonly Mutant[] = [
  {
    bug: 'a changed row has two current versions',
    file: DECISIONS,
    edits: [['      close.set(place, layout.closed(known, given[layout.from] ?? null))\n', '']],
    over: { kind: 'history' },
  },
  {
    bug: 'a version that the target refuses closes the one before it',
    file: HISTORY,
    edits: [
      [
        '        refused.set(place, { ...one, row: place })\n      }\n      throw undo',
        '        refused.set(place, { ...one, row: place })\n      }\n      return merged',
      ],
    ],
    over: { kind: 'history', writers: 5, initialRows: 10 },
  },
  {
    bug: 'a run commits though a check does not hold',
    file: CHECKS,
    edits: [['if (failed.length === 0) return\n', 'if (failed.length >= 0) return\n']],
    over: { kind: 'modes', initialRows: 12 },
  },
  {
    bug: 'a row that was replayed follows a newer version',
    file: DECISIONS,
    edits: [['layout.isOlder(row, known) || ', '']],
    over: {
      kind: 'history',
      shape: { ...shape, kind: 'incremental', load: 'history', versioned: true },
      sharedCodes: true,
      missingCursors: 0,
      missingKey: false,
      exact: true,
      sourceStepsBack: null,
      repairedAfterSeconds: 100,
      writers: 5,
      initialRows: 10,
      runs: [
        { startSeconds: 0, mode: 'usual', ...ended },
        { startSeconds: 8_000, mode: 'usual', ...ended },
        { startSeconds: 9_000, mode: 'replay', ...ended },
      ],
    },
  },
  {
    bug: 'of two partitions that begin a version at once the older row takes the place of the newer one',
    file: HISTORY,
    edits: [['version: layout.version === null ? undefined', 'version: layout.version !== -1 ? undefined']],
    over: {
      kind: 'history',
      shape: { ...shape, kind: 'incremental', load: 'history', versioned: true },
      sharedCodes: true,
      missingCursors: 0,
      missingKey: false,
      exact: true,
      sourceStepsBack: null,
      writers: 5,
      initialRows: 10,
    },
  },
  {
    bug: 'two loads that close a version at once fail each other for good',
    file: HISTORY,
    edits: [['if (rejected.length === 0 && !rows.some(isOpen)) {', 'if (rows.length < 0 && !rows.some(isOpen)) {']],
    over: { kind: 'history', ...COMMITS_AT_ONCE, writers: 5, initialRows: 10 },
  },
]

export const modeMutants: readonly Mutant[] = [
  {
    bug: 'what an unfinished run has appended is appended again by the next',
    file: RESUME,
    edits: [
      [
        'asked === null ? await unfinishedAppend(pipeline, lease, services) : null',
        'asked === null ? null : await unfinishedAppend(pipeline, lease, services)',
      ],
    ],
    over: { kind: 'append' },
  },
  {
    bug: 'an append does not look into the ledger, and enters what it finds there',
    file: 'shared/dray/pipeline/stages/load.ts',
    edits: [
      ['if (landed !== null) return landed', 'void landed'],
      [
        'await enter(pipeline, input, planned, { ...landing, ...staged })\n    } catch (error) {',
        'await enter(pipeline, input, planned, { ...landing, ...staged })\n    } catch (error) {\n      if (error instanceof DataQualityError) return landing',
      ],
    ],
    over: { kind: 'append', duplicates: 0.3 },
  },
  {
    bug: 'a resumed run forgets the ledger and does everything again',
    file: RESUME,
    edits: [['landed.numbers.has(number) ? [] : [number]', '[number]']],
    over: RESUMED,
  },
  {
    bug: 'a resumed run makes a plan of its own',
    file: RESUME,
    edits: [['if (landed === null) continue', 'if (landed !== undefined) continue']],
    over: RESUMED,
  },
  {
    bug: 'a run that was overtaken is resumed',
    file: RESUME,
    edits: [['if (plan.advances && !isOfNow(plan, lease)) await', 'if (plan.version < 0) await']],
    over: {
      ...RESUMED,
      faults: { rate: 0, pauses: 1, fates: ['pause before'] },
      runs: [
        { startSeconds: 0, mode: 'usual', ...ended, endedAfterSeconds: 1_000 },
        { startSeconds: 24_000, mode: 'usual', ...ended },
        { startSeconds: 40_000, mode: 'resume', ...ended },
      ],
    },
  },
  {
    bug: 'a backfill moves last_run',
    file: 'shared/dray/pipeline/plan/backfill.ts',
    edits: [['advances: false, notes', 'advances: true, notes']],
    over: RESUMED,
  },
  {
    bug: 'a load of single keys moves last_run',
    file: 'shared/dray/pipeline/plan/keys.ts',
    edits: [
      [
        'window: null, rows, partitions, advances: false',
        "window: { lo: null, hi: '2024-03-01 00:00:00.000000', exact: true, note: null }, rows, partitions, advances: true",
      ],
    ],
    over: { kind: 'modes' },
  },
  {
    bug: 'a backfill that is resumed puts last_run back to where it was at first',
    file: COMMIT,
    edits: [[/const lastRun = planned\.advances \? planned\.lastRun : [^\n]+/, 'const lastRun = planned.lastRun']],
    over: {
      ...RESUMED,
      faults: { rate: 0, pauses: 1, fates: ['pause before'] },
      runs: [
        { startSeconds: 0, mode: 'usual', ...ended },
        { startSeconds: 8_000, mode: 'backfill', ...ended, endedAfterSeconds: 1_000 },
        { startSeconds: 24_000, mode: 'usual', ...ended },
        { startSeconds: 40_000, mode: 'resume', ...ended },
      ],
    },
  },
  {
    bug: 'the first of many partitions is not among the items of a Distributed Map',
    file: MAP_ITEMS,
    edits: [['itemsPrefix(run, name), all,', 'itemsPrefix(run, name), all.slice(1),']],
    over: { kind: 'wide' },
  },
]
