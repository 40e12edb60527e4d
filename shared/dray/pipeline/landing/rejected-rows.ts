import { sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import { readColumn } from '#dray/active-record/sql.ts'
import type { OpenBlocks, Text } from '#dray/block/block.ts'
import { decodeBlock, decodeLine } from '#dray/block/copy-text.ts'
import { DROPPED, type RejectedRow } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { type CommitInput, planningRun } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { byColumn, type QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { openRows, type StagedRows, transformedRows } from '#dray/pipeline/rows/staged-rows.ts'
import { rowTransformer } from '#dray/pipeline/rows/transform-rows.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import type { LandedPartition } from './ledger.ts'

/** A partition's rows as they were read. */
type ReadPartition = Pick<CommitInput, 'run' | 'planned_by'> & {
  readonly partition: number
  readonly extracted: StagedObject
}

/** The source rows behind refused target rows: the transform is pure, so running it again tells which gave which. */
export async function* sourceRowsOf(
  pipeline: Pipeline,
  input: ReadPartition,
  rejected: readonly RejectedRow[],
  services: Services,
): AsyncGenerator<QuarantinedRow> {
  const wanted = new Map(rejected.map((one) => [one.row, one]))
  const transformRow = rowTransformer(pipeline, startOf(input.run))
  const columns = pipeline.extract.source.definition.columnNames
  const extracted: StagedRows = { pipeline: pipeline.name, stage: 'Extract', object: input.extracted, columns }
  const { blocks }: { blocks: AsyncIterable<Block> } = await openRows(extracted, services)
  let place = 0
  for await (const block of blocks) {
    for (const row of decodeBlock(block)) {
      if (transformRow(row).kind !== 'loaded') continue
      const refusal = wanted.get(place++)
      if (refusal !== undefined) yield quarantinedRow(pipeline, input, refusal, row)
    }
  }
}

function quarantinedRow(
  pipeline: Pipeline,
  input: ReadPartition,
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

/**
 * The source rows behind rows that were read from the target's engine: those that its columns would store as these
 * texts. In the open transaction of the target.
 */
export async function* sourceRowsStored(
  pipeline: Pipeline,
  input: CommitInput,
  { landed, rejected }: { readonly landed: readonly LandedPartition[]; readonly rejected: readonly RejectedRow[] },
  services: Services,
): AsyncGenerator<QuarantinedRow> {
  const wanted = Map.groupBy(rejected, ({ line }) => JSON.stringify(decodeLine(line)))
  // Of equal rows the one that came last is there.
  for (const { partition, extracted, transformed } of landed.toReversed()) {
    if (wanted.size === 0) break
    const open = async function* () {
      yield* (await openRows(transformedRows(pipeline, transformed), services)).blocks
    }
    const found = await storedAmong(pipeline, open, wanted, services)
    yield* sourceRowsOf(pipeline, { ...input, partition, extracted }, found, services)
  }
  const [[first] = []] = wanted.values()
  if (first === undefined) return
  throw new TerminalError(
    `${pipeline.name}: ${pipeline.load.target.definition.table} refuses a row (${reasonWithoutValues(first)}) whose source row is not known, so the old rows stay; run the workflow again`,
  )
}

/** Takes the rows that are wanted out of those, each with its place among the partition's. */
async function storedAmong(
  pipeline: Pipeline,
  open: OpenBlocks,
  wanted: Map<string, RejectedRow[]>,
  { signal }: Services,
): Promise<RejectedRow[]> {
  const { database, definition } = pipeline.load.target
  const columns = bulkColumns(definition)
  const found: RejectedRow[] = []
  await database.withConnection(async (connection, adapter) => {
    const held = await connection.holdRows(
      { table: definition.table, columns: columns.map(({ column }) => column) },
      open,
      { signal },
    )
    const read = columns.map((column) => readColumn(adapter, column))
    const { sql: text, parameters } = compile(
      adapter,
      sql`select ${sql.join(read)}, ${sql.raw(held.place)} from ${sql.raw(held.table)} order by ${sql.raw(held.place)} desc`,
    )
    for await (const block of connection.copyOut(text, parameters, { signal })) {
      for (const row of decodeBlock(block)) {
        const place = row.at(-1) as string
        const same = JSON.stringify(row.slice(0, -1))
        const [one, ...others] = wanted.get(same) ?? []
        if (one === undefined) continue
        if (others.length === 0) wanted.delete(same)
        else wanted.set(same, others)
        found.push({ ...one, row: held.rowOf(place) })
      }
    }
    await held.release()
  })
  return found
}

/** Why the target refuses a row, for a message: what the database says of it quotes its values. */
export function reasonWithoutValues({ code, column, message }: RejectedRow): string {
  if (code === DROPPED) return message
  return `error ${code}${column === null ? '' : ` on ${column}`}`
}
