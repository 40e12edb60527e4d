import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Adapter, LiveColumn } from '#dray/database/adapter.ts'
import type { Spelling } from '#dray/database/capabilities.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { mayBeRespelled } from '#dray/pipeline/rows/taken-over-key.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'

/**
 * At Plan, which reaches both databases: how the target writes the columns of a key of which the source may have
 * several texts that are one value there (UUIDs, decimals, padded texts). Null where it keeps how a key is written.
 */
export async function forgottenSpellings(
  pipeline: Pipeline,
  live: Readonly<Record<'source' | 'target', readonly LiveColumn[]>>,
): Promise<readonly Spelling[] | null> {
  const { extract, load } = pipeline
  if (load.kind !== 'upsert' && load.kind !== 'history') return null
  const own = extract.source.definition.primaryKey
  const by = columnsOf(load.target.definition, load.by)
  if (own.length !== by.length || !mayBeRespelled(pipeline)) return null
  const [source, target] = [await extract.source.database.adapter(), await load.target.database.adapter()]
  const read = own.map((column) => spellingOf(source, column, live.source))
  const written = by.map((column) => spellingOf(target, column, live.target))
  return written.some((spelling, place) => forgets(read[place] as Spelling, spelling)) ? written : null
}

function forgets(read: Spelling, written: Spelling): boolean {
  const isSpelledAlike = read === 'one' || read === 'uuid' || (read === 'padded' && written === 'padded')
  return !isSpelledAlike && written !== 'kept'
}

function spellingOf({ schema }: Adapter, { column, field }: ColumnDefinition, of: readonly LiveColumn[]): Spelling {
  const type = of.find(({ name }) => name === column)?.type ?? ''
  return schema.spellingOf(field.settings.kind, type)
}
