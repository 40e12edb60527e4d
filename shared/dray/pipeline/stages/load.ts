import { type MergeResult, OTHER_SPELLING } from '#dray/database/adapter.ts'
import { withDeadline } from '#dray/database/deadline.ts'
import { DataQualityError, TransientError } from '#dray/errors.ts'
import { sumOfSpent } from '#dray/messages/spent.ts'
import { type LoadInput, type LoadOutput, planningRun } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { checkFence, type LandedRows, type LedgerCounts, ledgerOf } from '#dray/pipeline/landing/ledger.ts'
import type { Landed } from '#dray/pipeline/landing/left-alone.ts'
import { loadRows } from '#dray/pipeline/landing/load-rows.ts'
import { refuseUnordered } from '#dray/pipeline/landing/shared-keys.ts'
import { refuseTwins } from '#dray/pipeline/landing/twin-rows.ts'
import { checkUnchanged } from '#dray/pipeline/plan/contract.ts'
import { type Plan, pipelineOf, readPlan, type Unit } from '#dray/pipeline/plan/staged-plan.ts'
import { isOrdered } from '#dray/pipeline/rows/row-order.ts'
import { openRows, transformedRows } from '#dray/pipeline/rows/staged-rows.ts'
import { replacesRows } from '#dray/pipeline/rows/taken-over-key.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import { counted } from './counted-blocks.ts'
import { keepRefused, type StagedForCommit, stageLoadedKeys } from './staged-for-commit.ts'

/**
 * Writes a partition in one transaction of the target: fence, merge, ledger. A second delivery finds the ledger's entry
 * and does nothing. Rows that the target refuses are left to Commit, which tries them once more.
 */
export function load(unit: Unit, input: LoadInput, services: Services): Promise<LoadOutput> {
  return withDeadline(services.signal, () => landPartition(unit, input, services))
}

async function landPartition(unit: Unit, input: LoadInput, services: Services): Promise<LoadOutput> {
  const startedAt = services.now()
  const place = { runId: input.run.id, pipeline: input.pipeline, partition: input.partition }
  const [planned] = await Promise.all([readPlan(services, input.plan), services.state.countAttempt(place)])
  const pipeline = pipelineOf(unit, planned)
  const { database } = pipeline.load.target
  const counts = await database.transaction(async () => {
    // Two partitions that mend the ends of the same versions at once would not see each other's.
    const mode = pipeline.load.history?.time === 'source' ? 'update' : 'share'
    await checkFence(database, pipeline.name, input.epoch, mode)
    const landed = await landedBefore(pipeline, input)
    if (landed !== null) return landed
    const merged = await merge(pipeline, input, planned, services)
    // Rows of one source key are duplicates that the source itself has.
    if (merged.duplicate > 0 && input.other_keys !== 0 && replacesRows(pipeline) && !isOrdered(pipeline)) {
      await refuseUnordered(pipeline, input.transformed, services)
    }
    if (merged.duplicate > 0 && planned.schema?.isView) await refuseTwins(pipeline, input, services)
    await database.withConnection((connection) => checkUnchanged(pipeline, 'target', planned.schema, connection))
    const landing = countsOf(input, merged)
    const staged = {
      refused: await keepRefused(pipeline, input, { planned, rejected: merged.rejected }, services),
      loadedKeys: await stageLoadedKeys(pipeline, input, planned, services),
      landedRows: landedRows(pipeline, input, planned, merged),
    }
    try {
      await enter(pipeline, input, planned, { ...landing, ...staged })
    } catch (error) {
      // The entry is there: another delivery of this partition has landed since this one looked.
      if (!(error instanceof DataQualityError) || (await landedBefore(pipeline, input)) === null) throw error
      throw new TransientError(
        `${pipeline.name}: partition ${input.partition} has landed by another delivery of the same task, so this one is rolled back; tried again, it finds the work done`,
        { cause: error },
      )
    }
    return landing
  })
  await services.state.putPartition({
    ...place,
    executionTimeSeconds: (services.now() - startedAt) / 1000,
    ...counts,
    ...sumOfSpent([input.spent, services.spent?.()]),
  })
  return { partition: input.partition }
}

function countsOf(input: LoadInput, merged: Landed): LedgerCounts {
  return {
    read: input.extracted.rows,
    inserted: merged.inserted,
    updated: merged.updated,
    unchanged: merged.unchanged,
    filtered: input.filtered,
    duplicate: merged.duplicate,
    quarantined: (input.quarantined?.rows ?? 0) + merged.rejected.length,
    deleted: input.told?.rows ?? 0,
    left: merged.left,
    findings: input.findings?.rows ?? 0,
    bytes: input.extracted.bytes,
  }
}

/** Null where no row of the run can have the key of another, and none is swapped in. */
function landedRows(
  pipeline: Pipeline,
  input: LoadInput,
  planned: Plan,
  { duplicate, rejected }: MergeResult,
): LandedRows | null {
  const isOneOfSeveral = duplicate > 0 && pipeline.load.version !== null
  const isSpelled = rejected.some(({ code }) => code === OTHER_SPELLING)
  const isAlone = planned.partitions.length === 1 && !isOneOfSeveral && !isSpelled
  const sharesKeys = !isAlone && replacesRows(pipeline)
  if (!sharesKeys && !(pipeline.load.kind === 'replace' && planned.advances)) return null
  const { extracted, transformed, other_keys: otherKeys = transformed.rows } = input
  return { extracted, transformed, otherKeys: sharesKeys ? otherKeys : 0, duplicate }
}

async function landedBefore(pipeline: Pipeline, input: LoadInput): Promise<LedgerCounts | null> {
  const { Entry } = ledgerOf(pipeline.load.target.database)
  const entry = await Entry.findBy({
    pipeline: pipeline.name,
    runId: planningRun(input),
    partitionNumber: BigInt(input.partition),
  })
  if (entry === null) return null
  return {
    read: Number(entry.rowsRead),
    inserted: Number(entry.inserted),
    updated: Number(entry.updated),
    unchanged: Number(entry.unchanged),
    filtered: Number(entry.filtered),
    duplicate: Number(entry.duplicate),
    quarantined: Number(entry.quarantined),
    deleted: Number(entry.deleted ?? 0n),
    left: Number(entry.leftAlone ?? 0n),
    findings: Number(entry.findings),
    bytes: Number(entry.bytes),
  }
}

function merge(pipeline: Pipeline, input: LoadInput, { advances, partitions, schema }: Plan, services: Services) {
  const rows = transformedRows(pipeline, input.transformed)
  const open = async function* (): AsyncGenerator<Block> {
    const staged = await openRows(rows, services)
    yield* counted(staged.blocks, (rows) =>
      services.progress({ pipeline: pipeline.name, partition: input.partition, phase: 'load', rows }),
    )
  }
  // Rows as they were kept say nothing of what the source has now.
  const isReplay = partitions[input.partition]?.kept !== undefined
  return loadRows(pipeline, { open, isWholeRun: advances && !isReplay, isReplay, schema, signal: services.signal })
}

async function enter(
  pipeline: Pipeline,
  input: LoadInput,
  planned: Plan,
  counts: LedgerCounts & StagedForCommit & { readonly landedRows: LandedRows | null },
): Promise<void> {
  const json = (value: unknown) => (value === null || value === undefined ? null : JSON.stringify(value))
  const { Entry } = ledgerOf(pipeline.load.target.database)
  await new Entry({
    pipeline: pipeline.name,
    runId: planningRun(input),
    partitionNumber: BigInt(input.partition),
    epoch: BigInt(input.epoch),
    rowsRead: BigInt(counts.read),
    inserted: BigInt(counts.inserted),
    updated: BigInt(counts.updated),
    unchanged: BigInt(counts.unchanged),
    filtered: BigInt(counts.filtered),
    duplicate: BigInt(counts.duplicate),
    quarantined: BigInt(counts.quarantined),
    deleted: BigInt(counts.deleted),
    leftAlone: BigInt(counts.left),
    findings: BigInt(counts.findings),
    bytes: BigInt(counts.bytes),
    plan: JSON.stringify(input.plan),
    replayed: json(planned.replayed?.records),
    refused: json(counts.refused),
    loadedKeys: json(counts.loadedKeys),
    told: json(input.told),
    landedRows: json(counts.landedRows),
  }).saveOrFail()
}
