import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { Text } from '#dray/block/block.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import { withNulls } from '#dray/block/with-nulls.ts'
import { TerminalError } from '#dray/errors.ts'
import { formats } from '#dray/messages/formats.ts'
import { sumOfSpent } from '#dray/messages/spent.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { type LoadInput, planningRun, type TransformInput } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { pipelineOf, plannedPipeline, readPlan, type Unit } from '#dray/pipeline/plan/staged-plan.ts'
import { type PassedKeys, passedKeys } from '#dray/pipeline/quarantine/passed-keys.ts'
import { lineEncoder } from '#dray/pipeline/rows/generated-rows.ts'
import { madeTooLarge, mostWritten } from '#dray/pipeline/rows/large-values.ts'
import { THREW } from '#dray/pipeline/rows/misfit-values.ts'
import type { Outcome } from '#dray/pipeline/rows/outcome.ts'
import { byColumn, type QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { datedCheck } from '#dray/pipeline/rows/row-order.ts'
import { eachRow, openRows, type StagedRows } from '#dray/pipeline/rows/staged-rows.ts'
import { replacesRows, takenOverKey } from '#dray/pipeline/rows/taken-over-key.ts'
import { rowTransformer } from '#dray/pipeline/rows/transform-rows.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { batchPrefix, findingsPrefix, KEPT, placeOf, quarantinePrefix } from '#dray/staging/keys.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import { counted } from './counted-blocks.ts'
import { RowsAside } from './rows-aside.ts'

/** What a field has besides its value, at most: a tab, `\N`, or what stands before hexadecimal digits. */
const FIELD_CHARACTERS = 4

/** Rows at which a transform may throw, from the first on, before it is taken for broken. */
const MOST_THROWN = 1_000

/** Rows that are kept aside while the others go on. */
interface Aside {
  filtered: number
  /** Rows that go on under another key than that of the source. */
  otherKeys: number
  /** The keys of rows that are to be deleted. */
  readonly told: BlockEncoder
  readonly toldBlocks: Block[]
  readonly quarantined: RowsAside
  readonly findings: RowsAside
  /** Null where nothing is open in the quarantine. */
  readonly passed: PassedKeys | null
}

/** Transforms a staged partition row by row: a pure function of its rows, so a second delivery gives the same. */
export async function transform(unit: Unit, input: TransformInput, services: Services): Promise<LoadInput> {
  const { staging, signal } = services
  const planned = unit.kind === 'replica' ? await readPlan(services, input.plan) : null
  const pipeline = planned === null ? await plannedPipeline(unit, input.plan, services) : pipelineOf(unit, planned)
  if (planned?.bytesPass && input.plain && input.open === undefined) return passOn(pipeline, input, services)
  const passed = await passedKeys(pipeline, input, services)
  const quarantined = new RowsAside(quarantinePrefix(planningRun(input), pipeline.name), services)
  const findings = new RowsAside(findingsPrefix(planningRun(input), pipeline.name), services)
  const told = { told: new BlockEncoder(), toldBlocks: [] }
  const aside: Aside = { filtered: 0, otherKeys: 0, ...told, quarantined, findings, passed }
  const columns = pipeline.extract.source.definition.columnNames
  const rows: StagedRows = { pipeline: pipeline.name, stage: 'Extract', object: input.extracted, columns }
  const extracted = await openRows(rows, services, { areBlocksLent: true })
  const blocks = counted(extracted.blocks, (rows) =>
    services.progress({ pipeline: pipeline.name, partition: input.partition, phase: 'transform', rows }),
  )
  try {
    const transformed = await staging.write(
      batchPrefix('transformed', { run: input.run.id, pipeline: pipeline.name, partition: input.partition }),
      { format: 'copy-text', columns: bulkColumns(pipeline.load.target.definition).map(({ column }) => column) },
      transformedBlocks(pipeline, input, blocks, aside),
      { signal },
    )
    await passed?.stage(services)
    const output = {
      ...input,
      version: formats.message,
      transformed,
      filtered: aside.filtered,
      other_keys: aside.otherKeys,
      ...(await toldKeys(pipeline, input, aside, services)),
      quarantined: await quarantined.stage(),
      findings: await findings.stage(),
    }
    return { ...output, ...sumOfSpent([input.spent, services.spent?.()]) }
  } catch (error) {
    await Promise.all([quarantined, findings].map((rows) => rows.abandon(error as Error)))
    throw error
  }
}

async function* transformedBlocks(
  pipeline: Pipeline,
  input: TransformInput,
  blocks: AsyncIterable<Block>,
  aside: Aside,
): AsyncGenerator<Block> {
  const transformRow = rowTransformer(pipeline, startOf(input.run))
  const lineOf = lineEncoder(pipeline.load.target)
  const most = mostWritten(pipeline.limits) + FIELD_CHARACTERS * pipeline.load.target.definition.columns.length
  const isTakenOver = replacesRows(pipeline) ? takenOverKey(pipeline) : () => true
  const checkDated = datedCheck(pipeline)
  const refuseBroken = brokenCheck(pipeline, input)
  const toReplay = replayedOutcome(pipeline, input)
  const encoder = new BlockEncoder()
  for await (const block of blocks) {
    const full: Block[] = []
    eachRow(block, (row) => {
      let outcome = toReplay(transformRow(row))
      refuseBroken(outcome)
      const line = outcome.kind === 'loaded' ? lineOf(outcome.texts) : ''
      if (line.length > most) {
        outcome = { kind: 'quarantined', errors: [madeTooLarge(Buffer.byteLength(line), pipeline.limits)] }
      }
      aside.passed?.note(row, outcome)
      setAside(pipeline, input, row, outcome, aside)
      if (outcome.kind !== 'loaded') return
      if (!isTakenOver(row, outcome.texts)) {
        checkDated?.(row)
        aside.otherKeys += 1
      }
      const filled = encoder.pushLine(line)
      if (filled !== null) full.push(filled)
    })
    yield* full
    await aside.quarantined.relieve()
    await aside.findings.relieve()
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

/** The rows as they were read, and NULL in each column that the target has more. */
async function passOn(pipeline: Pipeline, input: TransformInput, services: Services): Promise<LoadInput> {
  const { extracted, partition } = input
  const columns = pipeline.extract.source.definition.columnNames
  const written = bulkColumns(pipeline.load.target.definition).map(({ column }) => column)
  services.progress({ pipeline: pipeline.name, partition, phase: 'transform', rows: extracted.rows })
  const transformed =
    written.length === columns.length ? extracted : await stageWider(pipeline, input, { columns, written }, services)
  const nothing = { filtered: 0, other_keys: 0, quarantined: null, findings: null }
  const spent = sumOfSpent([input.spent, services.spent?.()])
  return { ...input, version: formats.message, transformed, ...nothing, ...spent }
}

async function stageWider(
  { name }: Pipeline,
  { run, partition, extracted: object }: TransformInput,
  { columns, written }: { readonly columns: readonly string[]; readonly written: readonly string[] },
  services: Services,
): Promise<StagedObject> {
  const { staging, signal } = services
  const place = { run: run.id, pipeline: name, partition }
  const rows: StagedRows = { pipeline: name, stage: 'Extract', object, columns }
  const { blocks } = await openRows(rows, services, { areBlocksLent: true })
  const wider = withNulls(blocks, written.length - columns.length)
  return staging.write(batchPrefix('transformed', place), { format: 'copy-text', columns: written }, wider, { signal })
}

/** Stages the keys of rows that are to be deleted. */
async function toldKeys(
  pipeline: Pipeline,
  { run, partition }: TransformInput,
  { told, toldBlocks }: Aside,
  { staging, signal }: Services,
): Promise<Pick<LoadInput, 'told'>> {
  const rest = told.flush()
  const blocks = rest === null ? toldBlocks : [...toldBlocks, rest]
  if (blocks.length === 0) return {}
  const columns = columnsOf(pipeline.load.target.definition, pipeline.load.goneBy).map(({ column }) => column)
  const prefix = batchPrefix('told', { run: run.id, pipeline: pipeline.name, partition })
  return { told: await staging.write(prefix, { format: 'copy-text', columns }, blocks, { signal }) }
}

/**
 * A kept row may be older than what the target has, and nothing of one that is to be deleted says so: it goes back. A
 * load without a version reads rows of a replay again from the source.
 */
function replayedOutcome({ name, load }: Pipeline, { extracted }: TransformInput): (outcome: Outcome) => Outcome {
  if (load.version === null || placeOf(extracted.key).part !== KEPT) return (outcome) => outcome
  const message = `the row says that it is deleted, and a kept row may be older than the target's; \`npx dray run ${name} --keys …\` asks the source`
  return (outcome) =>
    outcome.kind === 'deleted' ? { kind: 'quarantined', errors: [{ field: '', code: 'deleted', message }] } : outcome
}

/**
 * Makes the check that throws `Terminal` where a transform throws at each row from the first on: after as many as the
 * quarantine bears at most, it is the transform that is at fault, and not its rows. Rows of a replay may all go back.
 */
function brokenCheck(pipeline: Pipeline, { partition, extracted }: TransformInput): (outcome: Outcome) => void {
  const isReplay = placeOf(extracted.key).part === KEPT
  const most = isReplay ? Number.POSITIVE_INFINITY : Math.max(MOST_THROWN, pipeline.quarantine.rows)
  let thrown = 0
  let hasComeThrough = false
  return (outcome) => {
    if (hasComeThrough) return
    const [reason] = outcome.kind === 'quarantined' ? outcome.errors.filter(({ code }) => code === THREW) : []
    if (reason === undefined) hasComeThrough = true
    else thrown += 1
    if (thrown <= most) return
    throw new TerminalError(
      `${pipeline.name}: ${reason?.message}, and so at each of the first ${thrown} rows of partition ${partition}, so the run stops: nothing of the partition was loaded and last_run stays where it is; mend the transform, look at \`dray preview ${pipeline.name}\`, and run again`,
    )
  }
}

function setAside(
  pipeline: Pipeline,
  input: TransformInput,
  row: readonly Text[],
  outcome: Outcome,
  aside: Aside,
): void {
  if (outcome.kind === 'filtered') {
    aside.filtered += 1
    return
  }
  if (outcome.kind === 'deleted') {
    const full = aside.told.push(outcome.key)
    if (full !== null) aside.toldBlocks.push(full)
    return
  }
  const errors = outcome.kind === 'loaded' ? outcome.findings : outcome.errors
  if (errors.length === 0) return
  const kept: QuarantinedRow = {
    run: planningRun(input),
    pipeline: pipeline.name,
    partition: input.partition,
    step: 'transform',
    errors,
    row: byColumn(pipeline.extract.source.definition.columnNames, row),
  }
  if (outcome.kind === 'loaded') aside.findings.push(kept)
  else aside.quarantined.push(kept)
}
