import { bulkColumns } from 'dray/internal/active-record/bulk.ts'
import type { ColumnDefinition } from 'dray/internal/active-record/table-definition.ts'
import type { Timestamp } from 'dray/internal/active-record/values.ts'
import type { Text } from 'dray/internal/block/block.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { rowTransformer } from 'dray/internal/pipeline/rows/transform-rows.ts'
import { canonicalText } from 'dray/internal/pipeline/texts/canonical.ts'
import type { BesideDocument } from './documents.ts'

/** What a replay of a kept row would come to: what the transform makes of it now, beside what the target has. */
export async function besideTarget(
  pipeline: Pipeline,
  row: readonly (readonly [column: string, value: string | null])[],
  at: Timestamp,
): Promise<BesideDocument> {
  const values = new Map(row)
  const { source } = pipeline.extract
  const outcome = rowTransformer(pipeline, at)(source.definition.columnNames.map((name) => values.get(name) ?? null))
  const errors = outcome.kind === 'quarantined' ? outcome.errors : outcome.kind === 'loaded' ? outcome.findings : []
  if (outcome.kind !== 'loaded') return { outcome: outcome.kind, errors, columns: [], isNew: false }
  const columns = bulkColumns(pipeline.load.target.definition)
  const made = columns.map((column, place) => [column, outcome.texts[place] ?? null] as const)
  const stored = await storedRow(pipeline, made)
  const isNew = stored === null
  const isKey = ({ name }: ColumnDefinition) => pipeline.load.by.includes(name)
  const compared = made.map(([column, after]) => {
    const before = stored?.get(column.name) ?? null
    const isFilled = column.field.settings.isTouched
    return {
      name: column.column,
      before,
      after,
      isKey: isKey(column),
      differs: !isNew && !isFilled && canonicalText(column, before) !== canonicalText(column, after),
    }
  })
  const differs = compared.some((one) => one.differs)
  return { outcome: isNew || differs ? 'loaded' : 'unchanged', errors, columns: compared, isNew }
}

/** The target's row of the same key, as the texts that a load would write. */
async function storedRow(
  { load: { target, by } }: Pipeline,
  made: readonly (readonly [ColumnDefinition, Text])[],
): Promise<ReadonlyMap<string, Text> | null> {
  const key = made.filter(([{ name }]) => by.includes(name))
  if (key.length === 0 || key.some(([, text]) => text === null)) return null
  const conditions = Object.fromEntries(
    key.map(([{ name, field }, text]) => [name, field.settings.cast(text as string)]),
  )
  const [found] = await target.findAll({ conditions, limit: 1 })
  if (found === undefined) return null
  const valueAt = (name: string) => (found as unknown as Readonly<Record<string, unknown>>)[name] ?? null
  return new Map(
    made.map(([{ name, field }]) => {
      const value = valueAt(name)
      return [name, value === null ? null : field.settings.toText(value)]
    }),
  )
}
