import { narrowModel } from '#dray/active-record/narrow-model.ts'
import type { AnySource } from '#dray/pipeline/declare/any-model.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'

/**
 * The source's model with the fields that are read, followed columns as well, those that rows are chosen by, and those
 * of the cursor.
 */
export function askedModel({ source, model, filter, cursor }: Extraction): AnySource {
  if (source === model) return source
  const chosenBy = [...(filter ?? []), ...(cursor?.expression ?? [])].flatMap((part) =>
    'column' in part ? [part.column.name] : [],
  )
  const read = source.definition.columns.map(({ name }) => name)
  const { database, definition, fields } = model
  return narrowModel({ database, definition, fields: { ...fields, ...source.fields } }, new Set([...read, ...chosenBy]))
}
