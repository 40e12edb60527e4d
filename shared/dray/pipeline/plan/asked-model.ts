import { narrowModel } from '#dray/active-record/narrow-model.ts'
import type { AnySource } from '#dray/pipeline/declare/any-model.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'

/** The source's model with the fields that are read, and those that rows are chosen by. */
export function askedModel({ source, model, filter }: Pick<Extraction, 'source' | 'model' | 'filter'>): AnySource {
  if (source === model) return source
  const chosenBy = (filter ?? []).flatMap((part) => ('column' in part ? [part.column.name] : []))
  const read = source.definition.columns.map(({ name }) => name)
  return narrowModel(model, new Set([...read, ...chosenBy]))
}
