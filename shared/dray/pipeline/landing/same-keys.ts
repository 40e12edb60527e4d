import { type RawBuilder, sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { ModelTable } from '#dray/active-record/model-table.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { OpenBlocks } from '#dray/block/block.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import type { HeldRows, QueryOptions } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { eachRow, openRows } from '#dray/pipeline/rows/staged-rows.ts'
import { keyPlaces } from '#dray/pipeline/rows/taken-over-key.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import type { LandedRows } from './ledger.ts'

/**
 * The rows that share their key, by their places in the run, each with the place of the first one: the target judges
 * that, whatever their spelling.
 */
export async function placesOfSameKeys(
  pipeline: Pipeline,
  landed: readonly LandedRows[],
  services: Services,
): Promise<ReadonlyMap<number, number>> {
  const { target, by } = pipeline.load
  const { signal } = services
  const columns = bulkColumns(target.definition).map(({ column }) => column)
  const places = keyPlaces(pipeline)
  const keys = async function* (): AsyncGenerator<Block> {
    const encoder = new BlockEncoder()
    for (const { transformed } of landed) {
      const rows = { pipeline: pipeline.name, stage: 'Transform', object: transformed, columns } as const
      for await (const block of (await openRows(rows, services, { areBlocksLent: true })).blocks) {
        const full: Block[] = []
        eachRow(block, (texts) => {
          const filled = encoder.push(places.map((place) => texts[place] ?? null))
          if (filled !== null) full.push(filled)
        })
        yield* full
      }
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }
  return placesOfKeys(target, columnsOf(target.definition, by), keys, { signal })
}

/** Of these keys those that are one for the table: by the place of each that of the first one. */
export async function placesOfKeys(
  { database, definition }: ModelTable,
  by: readonly ColumnDefinition[],
  keys: OpenBlocks,
  options: QueryOptions,
): Promise<ReadonlyMap<number, number>> {
  const key = by.map(({ column }) => column)
  const shared = new Map<number, number>()
  await database.transaction(() =>
    database.withConnection(async (connection, adapter) => {
      const held = await connection.holdRows({ table: definition.table, columns: key, key }, keys, options)
      const { sql: text, parameters } = compile(adapter, sharingRows(held, key))
      for await (const page of connection.stream(text, parameters, options)) {
        for (const [place, first] of page) shared.set(held.rowOf(place as string), held.rowOf(first as string))
      }
      await held.release()
    }),
  )
  return shared
}

/** The places of rows whose key comes more than once, and of each the first one of its key. */
function sharingRows({ table, place }: HeldRows, key: readonly string[]): RawBuilder<unknown> {
  const names = key.map((column) => sql.id(column))
  const group = sql`over (partition by ${sql.join(names)})`
  const isWhole = names.map((name) => sql`${name} is not null`)
  return sql`select dray_row, dray_first from (select ${sql.raw(place)} as dray_row, min(${sql.raw(place)}) ${group} as dray_first,
    count(*) ${group} as dray_rows from ${sql.raw(table)} where ${sql.join(isWhole, sql` and `)}) dray_keys where dray_rows > 1`
}
