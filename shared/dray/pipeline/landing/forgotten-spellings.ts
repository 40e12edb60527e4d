import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Adapter, LiveColumn } from '#dray/database/adapter.ts'
import type { Spelling } from '#dray/database/capabilities.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import { mayBeRespelled } from '#dray/pipeline/rows/taken-over-key.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'

/**
 * Whether several texts that the source has for a key are one value in the target, which does not keep how it was
 * written: UUIDs, decimals and padded texts that the source has as text.
 */
export async function forgetsSpellings(pipeline: Pipeline, schema: PlannedSchema | undefined): Promise<boolean> {
  const { extract, load } = pipeline
  if (load.kind !== 'upsert' && load.kind !== 'history') return false
  const own = extract.source.definition.primaryKey
  const by = columnsOf(load.target.definition, load.by)
  if (own.length !== by.length || schema === undefined || !mayBeRespelled(pipeline)) return false
  const [source, target] = [await extract.source.database.adapter(), await load.target.database.adapter()]
  return by.some((column, place) => {
    const read = spellingOf(source, own[place] as ColumnDefinition, schema.source)
    const written = spellingOf(target, column, schema.target)
    return read !== 'one' && written !== 'kept' && !(read === 'padded' && written === 'padded')
  })
}

function spellingOf({ schema }: Adapter, { column, field }: ColumnDefinition, live: readonly LiveColumn[]): Spelling {
  const type = live.find(({ name }) => name === column)?.type ?? ''
  return schema.spellingOf(field.settings.kind, type)
}
