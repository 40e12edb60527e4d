import { bulkColumns } from '#dray/active-record/bulk.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import type { RejectedRow } from '#dray/database/adapter.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { type LoadInput, planningRun } from '#dray/messages/stages.ts'
import { asksRowsOfRun } from '#dray/pipeline/checks/scope.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { sourceRowsOf } from '#dray/pipeline/landing/rejected-rows.ts'
import type { Plan } from '#dray/pipeline/plan/staged-plan.ts'
import { eachRow, openRows, transformedRows } from '#dray/pipeline/rows/staged-rows.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { writeJsonLines } from '#dray/staging/documents.ts'
import { landedPrefix, quarantinePrefix } from '#dray/staging/keys.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'

/** What is staged of a partition for Commit; null where there is none. */
export interface StagedForCommit {
  readonly refused: StagedObject | null
  readonly loadedKeys: StagedObject | null
}

/** Stages what the target has refused, for Commit to try again; in a plan of before, quarantines it. */
export async function keepRefused(
  pipeline: Pipeline,
  input: LoadInput,
  { planned, rejected }: { readonly planned: Plan; readonly rejected: readonly RejectedRow[] },
  services: Services,
): Promise<StagedObject | null> {
  if (rejected.length === 0) return null
  const rows = sourceRowsOf(pipeline, input, rejected, services)
  const place = { run: input.run.id, pipeline: pipeline.name, partition: input.partition }
  const prefix =
    planned.triesAgain === true ? landedPrefix('refused', place) : quarantinePrefix(planningRun(input), pipeline.name)
  const staged = await writeJsonLines(services.staging, prefix, rows, { signal: services.signal })
  return planned.triesAgain === true ? staged : null
}

/** Stages the keys of a partition where what is gone will be deleted: these are not; and where a check asks of them. */
export async function stageLoadedKeys(
  pipeline: Pipeline,
  input: LoadInput,
  planned: Plan,
  services: Services,
): Promise<StagedObject | null> {
  const { deletes } = pipeline
  // Where rows say it, the keys tell only which rows a deleted one leaves behind in its own table: a mark leaves none.
  const areNeeded = deletes.saidBy === 'row' ? deletes.kind === 'hard' : deletes.kind !== 'ignore' && planned.advances
  if (!areNeeded && !asksRowsOfRun(pipeline, planned)) return null
  // Rows as they were kept are no proof that the source has their keys.
  if (planned.partitions[input.partition]?.kept !== undefined) return null
  const all = bulkColumns(pipeline.load.target.definition)
  const key = columnsOf(pipeline.load.target.definition, pipeline.load.goneBy)
  const places = key.map((column) => all.indexOf(column))
  const { blocks } = await openRows(transformedRows(pipeline, input.transformed), services)
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
