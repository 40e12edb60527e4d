import { familyMutants } from './family-mutants.ts'
import { deletingMutants, historyMutants, modeMutants, replaceMutants } from './kind-mutants.ts'
import { leftMutants } from './left-mutants.ts'
import type { PipelineShape } from './models.ts'
import type { Mutant } from './mutant.ts'
import type { Scenario } from './scenario.ts'
import { sharedKeyMutants } from './shared-key-mutants.ts'
import { toldMutants } from './told-mutants.ts'
import { worldMutants } from './world-mutants.ts'

const PLAN = 'shared/dray/pipeline/stages/plan.ts'
const WINDOW = 'shared/dray/pipeline/plan/window.ts'
const FORM = 'shared/dray/pipeline/plan/cursor-form.ts'
const CHECKS = 'shared/dray/pipeline/plan/checked-cursor.ts'
const PARTITIONS = 'shared/dray/pipeline/plan/partitions.ts'
const EXTRACT = 'shared/dray/pipeline/stages/extract.ts'
const TRANSFORM = 'shared/dray/pipeline/stages/transform.ts'
const STAGED_FOR_COMMIT = 'shared/dray/pipeline/stages/staged-for-commit.ts'
const LOAD = 'shared/dray/pipeline/stages/load.ts'
const COMMIT = 'shared/dray/pipeline/stages/commit.ts'
const FINISH = 'shared/dray/pipeline/stages/finish.ts'
const LEDGER = 'shared/dray/pipeline/landing/ledger.ts'
const KEY = 'shared/dray/active-record/compared-key.ts'
const LEASES = 'shared/dray/state/pipeline-leases.ts'
const STAGED = 'shared/dray/staging/staged-content.ts'

const ZOMBIES: Partial<Scenario> = {
  deaf: 1,
  faults: { rate: 0.03, pauses: 0.1, fates: ['stall before', 'stall after', 'reply lost', 'lost before'] },
}
const TWO_AT_ONCE: Partial<Scenario> = {
  deaf: 1,
  duplicates: 0.5,
  late: 0,
  faults: { rate: 0.06, pauses: 0.5, fates: ['pause before', 'pause after', 'stall before'] },
}
const INCREMENTAL: PipelineShape = {
  kind: 'incremental',
  nulls: 'include',
  lagSeconds: 0,
  partitionRows: 100,
  concurrency: 1,
  versioned: false,
  load: 'upsert',
  deletes: 'ignore',
  mostDeleted: 1,
}
/** Runs that follow each other at once while many write, and nothing goes wrong. */
const OFTEN: Partial<Scenario> = {
  sharedCodes: false,
  sourceStepsBack: null,
  writers: 8,
  faults: { rate: 0, pauses: 0, fates: [] },
  duplicates: 0,
  late: 0,
  resultsLost: 0,
  damage: 0,
  runs: Array.from({ length: 25 }, (_, index) => ({
    startSeconds: 1 + index * 3,
    mode: 'usual',
    endedAfterSeconds: null,
    machineLost: false,
  })),
}
const SMALL_PARTITIONS: Partial<Scenario> = {
  sharedCodes: false,
  initialRows: 12,
  shape: {
    kind: 'incremental',
    nulls: 'include',
    lagSeconds: 0,
    partitionRows: 2,
    concurrency: 3,
    versioned: false,
    load: 'upsert',
    deletes: 'ignore',
    mostDeleted: 1,
  },
  exact: true,
}

export const windowMutants: readonly Mutant[] = [
  {
    bug: '`>` instead of `>=` at the lower end of the window',
    file: FORM,
    edits: [['${name} >= ${momentFor(adapter, moment)}', '${name} > ${momentFor(adapter, moment)}']],
  },
  {
    bug: '`<=` instead of `<` at the upper end of the window',
    file: FORM,
    edits: [['${name} < ${momentFor(adapter, moment)}', '${name} <= ${momentFor(adapter, moment)}']],
  },
  {
    bug: 'the window has no upper end: rows are read that are not settled',
    file: FORM,
    edits: [['${name} < ${momentFor(adapter, moment)}', '1 = 1']],
  },
  {
    bug: 'the clock of the machine instead of the clock of the source',
    file: 'shared/dray/pipeline/plan/usual-run.ts',
    edits: [
      [
        'await settledWindow(extract, before, connection, table)',
        "{ ...(await settledWindow(extract, before, connection, table)), hi: new Date(services.now()).toISOString().replace('T', ' ').replace('Z', '000') }",
      ],
    ],
  },
  {
    bug: 'the window ends past transactions that are still open',
    file: 'shared/dray/database/postgres/horizon.ts',
    edits: [['least(least(lagged, oldest), replayed)', 'lagged']],
  },
  {
    bug: 'no lag where open transactions cannot be seen',
    file: WINDOW,
    edits: [
      ['settledUntil(cursor.lagSeconds', 'settledUntil(0'],
      ['unseenLagSeconds: cursor.unseenLagSeconds', 'unseenLagSeconds: 0'],
    ],
    over: {
      ...OFTEN,
      shape: { ...INCREMENTAL, lagSeconds: 60 },
      exact: false,
      longestWriterSeconds: 30,
    },
  },
  {
    bug: 'an old open transaction moves last_run back',
    file: WINDOW,
    edits: [['compareInstants(until, lastRun) < 0 ? lastRun : until', 'false ? lastRun : until']],
    over: { ...OFTEN, shape: INCREMENTAL, exact: true, longestWriterSeconds: 100 },
  },
  {
    bug: 'last_run is the greatest cursor there is when the run ends',
    file: COMMIT,
    edits: [
      [
        'await services.state.commit(lease, step.lastRunAfter, planned.source, planned.follows, answers.counted)',
        `await services.state.commit(lease, planned.window === null ? null : ((await pipeline.extract.source.database.query('select max("changed_at") from "item"')).rows[0]?.[0] ?? step.lastRunAfter))`,
      ],
    ],
  },
  {
    bug: 'last_run before the data',
    file: PLAN,
    edits: [
      [
        'await prepareTarget(pipeline, made, lease.epoch)',
        'await state.commit({ ...lease, owner: run.id }, made.window?.hi ?? null)',
      ],
    ],
  },
  {
    bug: 'rows without a cursor are left out although they were asked for',
    file: WINDOW,
    edits: [["cursorOf(extraction).nulls === 'include'", 'false']],
  },
  {
    bug: 'rows without a cursor are passed over in silence',
    file: CHECKS,
    edits: [['if (rows === 0) return null', 'return null']],
  },
]

export const partitionMutants: readonly Mutant[] = [
  {
    bug: 'partitions that take in both of their bounds',
    file: KEY,
    edits: [["{ strict: '>', last: '>' }", "{ strict: '>', last: '>=' }"]],
  },
  {
    bug: 'partitions that leave out both of their bounds',
    file: KEY,
    edits: [["{ strict: '<', last: '<=' }", "{ strict: '<', last: '<' }"]],
  },
  {
    bug: 'rows whose key is NULL are in no partition',
    file: PARTITIONS,
    edits: [['range.after === null ? sql`(${sql.join([bounded, ...missing], sql` or `)})` : bounded', 'bounded']],
    over: { ...SMALL_PARTITIONS, missingKey: true },
  },
  {
    bug: 'rows with half a key are in two partitions',
    file: PARTITIONS,
    edits: [[', ...key.map(({ column }) => sql`${columnName(column)} is not null`)', '']],
    over: { missingKey: true },
  },
  {
    bug: 'the last partition is skipped, and Commit does not count',
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
    over: SMALL_PARTITIONS,
  },
  {
    bug: 'a partition that fails is taken for done, and Commit does not count',
    file: LOAD,
    edits: [
      [
        '    return landing\n  })\n',
        '    return landing\n  }).catch(() => null)\n  if (counts === null) return { partition: input.partition }\n',
      ],
    ],
    also: {
      file: COMMIT,
      edits: [['if (sums.partitions !== planned.partitions.length) {', 'if (sums.partitions < 0) {']],
    },
  },
  {
    bug: 'the first of a key wins instead of the last',
    file: EXTRACT,
    edits: [['sql` order by ${sql.join(order)}`', 'sql` order by ${sql.join(order.map((one) => sql`${one} desc`))}`']],
  },
  {
    bug: 'the rows of a key come in any order',
    file: EXTRACT,
    edits: [['order.length === 0 ?', 'order.length >= 0 ?']],
  },
]

export const landingMutants: readonly Mutant[] = [
  {
    bug: 'no fence',
    file: LEDGER,
    edits: [
      [
        'const current = await lockFence(database, pipeline, mode)',
        'if (epoch > 0) return (await lockFence(database, pipeline, mode)) as FenceRow\n  const current = await lockFence(database, pipeline, mode)',
      ],
    ],
    over: ZOMBIES,
  },
  {
    bug: 'the fence is checked before the transaction, not in it',
    file: LOAD,
    edits: [
      [
        'const counts = await database.transaction(async () => {',
        'await checkFence(database, pipeline.name, input.epoch)\n  const counts = await database.transaction(async () => {',
      ],
      ['await checkFence(database, pipeline.name, input.epoch, mode)', ''],
    ],
    over: ZOMBIES,
  },
  {
    bug: 'the fence is read without a lock, so it may rise before the commit',
    file: LEDGER,
    edits: [['${rowLock(mode)}', "${mode === 'share' ? '' : rowLock(mode)}"]],
    over: ZOMBIES,
  },
  {
    bug: 'the fence is compared without a lock, so an older run lowers it',
    file: LEDGER,
    edits: [['${rowLock(mode)}', "${mode === 'update' ? '' : rowLock(mode)}"]],
    over: { ...ZOMBIES, faults: { rate: 0.05, pauses: 0.1, fates: ['stall before'] } },
  },
  {
    bug: 'two first Plans at once fail each other for good',
    file: LEDGER,
    edits: [['runId }).save()) return', 'runId }).saveOrFail()) return']],
    over: { ...TWO_AT_ONCE, initialRows: 0, writers: 0 },
  },
  {
    bug: 'the ledger is written after the transaction, not in it',
    file: LOAD,
    edits: [
      ['await enter(pipeline, input, planned, { ...landing, ...staged })\n    } catch', 'void enter\n    } catch'],
      [
        '  await services.state.putPartition(',
        '  await enter(pipeline, input, planned, counts)\n  await services.state.putPartition(',
      ],
    ],
  },
  {
    bug: 'a second delivery does not look into the ledger',
    file: LOAD,
    edits: [['if (landed !== null) return landed', 'void landed']],
  },
  {
    bug: 'the ledger takes a partition of another run for this one',
    file: LOAD,
    edits: [[/runId: [^,\n]+,\n {4}(partitionNumber: BigInt\(input\.partition\),\n {2}\}\)\n {2}if)/, '$1']],
  },
  {
    bug: 'the ledger takes another partition for this one',
    file: LOAD,
    edits: [[/partitionNumber: BigInt\(input\.partition\),\n {2}\}\)\n {2}if/, '})\n  if']],
    over: SMALL_PARTITIONS,
  },
  {
    bug: 'two deliveries at once fail each other for good',
    file: LOAD,
    edits: [['if (!(error instanceof DataQualityError) ||', 'if (error ||']],
  },
  {
    bug: 'insert instead of merge: what is there already is refused',
    file: 'shared/dray/pipeline/landing/load-rows.ts',
    edits: [['mergeTarget(target.definition, mode,', "mergeTarget(target.definition, 'insert',"]],
  },
  {
    bug: 'an older version overwrites a newer one',
    file: 'shared/dray/active-record/bulk.ts',
    edits: [['...(options.version === undefined ? {} :', '...(options.version !== null ? {} :']],
  },
  {
    bug: 'rows that the target refused are not kept',
    file: STAGED_FOR_COMMIT,
    edits: [['return planned.triesAgain === true ? staged : null', 'return staged === null ? staged : null']],
  },
  {
    bug: 'another row is kept for the one that the target refused',
    file: 'shared/dray/pipeline/landing/rejected-rows.ts',
    edits: [["if (transformRow(row).kind !== 'loaded') continue", 'transformRow(row)']],
  },
]

export const countingMutants: readonly Mutant[] = [
  {
    bug: 'filtered rows are counted as loaded',
    file: LOAD,
    edits: [
      ['unchanged: merged.unchanged,', 'unchanged: merged.unchanged + input.filtered,'],
      ['filtered: input.filtered,', 'filtered: 0,'],
    ],
  },
  {
    bug: 'filtered rows are not counted, and the row equation is ignored',
    file: LOAD,
    edits: [['filtered: input.filtered,', 'filtered: 0,']],
    also: { file: COMMIT, edits: [['if (sums.read === right) return', 'if (right >= 0) return']] },
  },
  {
    bug: 'rows that the target refused are lost, and the row equation is ignored',
    file: LOAD,
    edits: [[' + merged.rejected.length,', ',']],
    also: { file: COMMIT, edits: [['if (sums.read === right) return', 'if (right >= 0) return']] },
  },
  {
    bug: 'the quarantine is forgotten on a retry',
    file: TRANSFORM,
    edits: [
      [
        'quarantined: await quarantined.stage(),',
        'quarantined: (await staging.list(quarantinePrefix(planningRun(input), pipeline.name))).length > 0 ? null : await quarantined.stage(),',
      ],
    ],
  },
  {
    bug: 'rows with a finding are quarantined as well as loaded',
    file: TRANSFORM,
    edits: [["if (outcome.kind === 'loaded') aside.findings", "if (outcome.kind === 'filtered') aside.findings"]],
  },
]

export const stateMutants: readonly Mutant[] = [
  {
    bug: 'the commit of last_run is unconditional: no epoch, no version',
    file: LEASES,
    edits: [['ConditionExpression: `${leaseOfEpoch} AND ${versionUnchanged}`,', '']],
    over: { ...ZOMBIES, faults: { rate: 0.04, pauses: 0, fates: ['stall before'] } },
    schedules: 1_000,
  },
  {
    bug: 'the lease is taken without a condition',
    file: LEASES,
    edits: [['ConditionExpression: leaseCanBeTaken,', '']],
  },
  {
    bug: 'the lost reply to taking the lease is a failure',
    file: LEASES,
    edits: [['if (item?.lease_owner === owner) return', 'if (item === undefined) return']],
  },
  {
    bug: 'the lost reply to the commit of last_run is a failure',
    file: LEASES,
    edits: [['if (item?.commit_owner === lease.owner && item.commit_epoch === lease.epoch) return', '']],
  },
  {
    bug: 'each delivery of Plan takes a new lease and a new epoch, as if the first were lost',
    file: 'shared/dray/state/conditions.ts',
    edits: [['(${leaseExpired} AND ${leaseOfAnother})', '${leaseExpired} OR ${leaseOwned}']],
  },
  {
    bug: 'a Plan that comes after the end of its run keeps a lease',
    file: PLAN,
    edits: [
      ['await refuseEndedRun(name, run.id, services)', ''],
      ['await refuseEndedRun(pipeline.name, runId, services)', ''],
    ],
  },
  {
    bug: 'a run that failed keeps its lease',
    file: FINISH,
    edits: [['  for (const [name] of outcomes) await state.releaseLease(name, run.id)\n', '']],
  },
]

export const stagingMutants: readonly Mutant[] = [
  {
    bug: 'a staged object that has lost its rows is taken for zero rows',
    file: STAGED,
    edits: [['if (differences.length > 0) throw', 'if (differences.length > 0 && this.#rows > 0) throw']],
    over: { damage: 0.1 },
  },
  {
    bug: 'a staged object that is short is taken for whole',
    file: STAGED,
    edits: [['if (differences.length > 0) throw', 'if (differences.length > 0 && this.#pendingBytes > 0) throw']],
    over: { damage: 0.1 },
  },
  {
    bug: 'a staged object that is missing is taken for zero rows',
    file: LOAD,
    edits: [
      [
        'await openRows(rows, services)',
        "await openRows(rows, services).catch((error) => { if (error.name !== 'StagedObjectMissing') throw error; return { blocks: [] } })",
      ],
    ],
    over: { damage: 0.1 },
  },
  {
    bug: 'the checksum of staged objects is ignored',
    file: STAGED,
    edits: [["if (sha256 !== object.sha256) differences.push('its SHA-256 differs')", 'void sha256']],
    over: { damage: 0.1 },
  },
]

const largeRowMutants: readonly Mutant[] = [
  {
    bug: 'rows that are too large are left out where the others are read once more',
    file: EXTRACT,
    edits: [['of sizes.large) {', 'of sizes.large.slice(2)) {']],
  },
]

export const mutants: readonly Mutant[] = [
  ...windowMutants,
  ...partitionMutants,
  ...landingMutants,
  ...countingMutants,
  ...stateMutants,
  ...stagingMutants,
  ...replaceMutants,
  ...deletingMutants,
  ...historyMutants,
  ...modeMutants,
  ...sharedKeyMutants,
  ...toldMutants,
  ...worldMutants,
  ...largeRowMutants,
  ...leftMutants,
  ...familyMutants,
]
