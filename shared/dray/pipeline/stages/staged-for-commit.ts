import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { Text } from '#dray/block/block.ts'
import { BlockEncoder, decodeBlock } from '#dray/block/copy-text.ts'
import type { RejectedRow } from '#dray/database/adapter.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { type LoadInput, planningRun } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Plan } from '#dray/pipeline/plan/staged-plan.ts'
import { byColumn, type QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { eachRow, openRows, type StagedRows } from '#dray/pipeline/rows/staged-rows.ts'
import { rowTransformer } from '#dray/pipeline/rows/transform-rows.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { writeJsonLines } from '#dray/staging/documents.ts'
import { landedPrefix, quarantinePrefix } from '#dray/staging/keys.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'

/** What is staged of a partition for Commit; null where there is none. */
export interface StagedForCommit {
  readonly refused: StagedObject | null
  readonly loadedKeys: StagedObject | null
}

/** A partition's rows as the transform has staged them. */
export function transformedRows(pipeline: Pipeline, input: LoadInput): StagedRows {
  const columns = bulkColumns(pipeline.load.target.definition).map(({ column }) => column)
  return { pipeline: pipeline.name, stage: 'Transform', object: input.transformed, columns }
}

/** Stages what the target has refused, for Commit to try again; in a plan of before, quarantines it. */
export async function keepRefused(
  pipeline: Pipeline,
  input: LoadInput,
  { planned, rejected }: { readonly planned: Plan; readonly rejected: readonly RejectedRow[] },
  services: Services,
): Promise<StagedObject | null> {
  if (rejected.length === 0) return null
  const rows = await sourceRowsOf(pipeline, input, rejected, services)
  const place = { run: input.run.id, pipeline: pipeline.name, partition: input.partition }
  const prefix =
    planned.triesAgain === true ? landedPrefix('refused', place) : quarantinePrefix(planningRun(input), pipeline.name)
  const staged = await writeJsonLines(services.staging, prefix, rows, { signal: services.signal })
  return planned.triesAgain === true ? staged : null
}

/** Stages the keys of a partition where what is gone will be deleted: these are not. */
export async function stageLoadedKeys(
  pipeline: Pipeline,
  input: LoadInput,
  planned: Plan,
  services: Services,
): Promise<StagedObject | null> {
  if (pipeline.deletes.kind === 'ignore' || !planned.advances) return null
  const all = bulkColumns(pipeline.load.target.definition)
  const key = columnsOf(pipeline.load.target.definition, pipeline.load.by)
  const places = key.map((column) => all.indexOf(column))
  const { blocks } = await openRows(transformedRows(pipeline, input), services)
  const keys = async function* (): AsyncGenerator<Block> {
    const encoder = new BlockEncoder()
    for await (const block of blocks) {
      const full: Block[] = []
      eachRow(block, (row) => {
        const filled = encoder.push(places.map((place) => row[place] ?? null))
        if (filled !== null) full.push(filled)
      })
      yield* full
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }
  const place = { run: input.run.id, pipeline: pipeline.name, partition: input.partition }
  const header = { format: 'copy-text', columns: key.map(({ column }) => column) } as const
  return services.staging.write(landedPrefix('loaded-keys', place), header, keys(), { signal: services.signal })
}

/** The source rows behind refused target rows: the transform is pure, so running it again tells which gave which. */
async function sourceRowsOf(
  pipeline: Pipeline,
  input: LoadInput,
  rejected: readonly RejectedRow[],
  services: Services,
): Promise<QuarantinedRow[]> {
  const wanted = new Map(rejected.map((one) => [one.row, one]))
  const transformRow = rowTransformer(pipeline, startOf(input.run))
  const columns = pipeline.extract.source.definition.columnNames
  const extracted: StagedRows = { pipeline: pipeline.name, stage: 'Extract', object: input.extracted, columns }
  const { blocks }: { blocks: AsyncIterable<Block> } = await openRows(extracted, services)
  const rows: QuarantinedRow[] = []
  let place = 0
  for await (const block of blocks) {
    for (const row of decodeBlock(block)) {
      if (transformRow(row).kind !== 'loaded') continue
      const refusal = wanted.get(place++)
      if (refusal !== undefined) rows.push(quarantinedRow(pipeline, input, refusal, row))
    }
  }
  return rows
}

function quarantinedRow(
  pipeline: Pipeline,
  input: LoadInput,
  refusal: RejectedRow,
  row: readonly Text[],
): QuarantinedRow {
  const { source } = pipeline.extract
  const field = pipeline.load.target.definition.columns.find(({ column }) => column === refusal.column)?.name
  return {
    run: planningRun(input),
    pipeline: pipeline.name,
    partition: input.partition,
    step: 'load',
    errors: [{ field: field ?? refusal.column ?? '', code: refusal.code, message: refusal.message }],
    row: byColumn(source.definition.columnNames, row),
  }
}
