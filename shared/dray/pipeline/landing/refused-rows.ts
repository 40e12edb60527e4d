import type { Text } from '#dray/block/block.ts'
import { encodeLine } from '#dray/block/copy-text.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { type CommitInput, planningRun } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { rowTransformer } from '#dray/pipeline/rows/transform-rows.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { readJsonLines, writeJsonLines } from '#dray/staging/documents.ts'
import { quarantinePrefix } from '#dray/staging/keys.ts'
import type { Services } from '../services.ts'

/** What a run's partitions have left to Commit: the rows that the target has refused, by partition. */
export interface RefusedRows {
  readonly pipeline: Pipeline
  readonly input: CommitInput
  readonly refused: readonly StagedObject[]
  readonly services: Services
}

/** A refused row with the texts that the transform makes of it. */
export interface RefusedRow {
  readonly kept: QuarantinedRow
  readonly texts: readonly Text[]
}

export function sourceTexts({ extract }: Pipeline, { row }: QuarantinedRow): Text[] {
  return extract.source.definition.columnNames.map((column) => row[column] ?? null)
}

/** The row as the source has it, as a line of COPY text. */
export function lineOf(pipeline: Pipeline, kept: QuarantinedRow): string {
  return encodeLine(sourceTexts(pipeline, kept))
}

async function* keptRows({ refused, services }: RefusedRows): AsyncGenerator<QuarantinedRow> {
  for (const object of refused)
    yield* readJsonLines<QuarantinedRow>(services.staging, object, { signal: services.signal })
}

/** The refused rows, by their places; null where the transform of now leaves one out. */
export async function* refusedRows(work: RefusedRows): AsyncGenerator<{
  readonly place: number
  readonly kept: QuarantinedRow
  readonly row: RefusedRow | null
}> {
  const transformRow = rowTransformer(work.pipeline, startOf(work.input.run))
  let place = 0
  for await (const kept of keptRows(work)) {
    const outcome = transformRow(sourceTexts(work.pipeline, kept))
    yield { place: place++, kept, row: outcome.kind === 'loaded' ? { kept, texts: outcome.texts } : null }
  }
}

/** The rows of these places. */
export async function rowsAt(work: RefusedRows, wanted: ReadonlySet<number>): Promise<Map<number, RefusedRow>> {
  const rows = new Map<number, RefusedRow>()
  for await (const { place, row } of refusedRows(work)) if (row !== null && wanted.has(place)) rows.set(place, row)
  return rows
}

/** Sends refused rows to the quarantine: those of these places, or all of them. */
export async function quarantineRefused(work: RefusedRows, places: ReadonlySet<number> | null): Promise<void> {
  if (places !== null && places.size === 0) return
  const chosen = async function* () {
    let place = 0
    for await (const kept of keptRows(work)) if (places === null || places.has(place++)) yield kept
  }
  const { pipeline, input, services } = work
  const prefix = quarantinePrefix(planningRun(input), pipeline.name)
  await writeJsonLines(services.staging, prefix, chosen(), { signal: services.signal })
}

/** All of them, as lines of the source. */
export async function refusedLines(work: RefusedRows): Promise<ReadonlySet<string>> {
  const lines = new Set<string>()
  for await (const kept of keptRows(work)) lines.add(lineOf(work.pipeline, kept))
  return lines
}
