import { bulkColumns } from 'dray/internal/active-record/bulk.ts'
import type { Row } from 'dray/internal/active-record/fields.ts'
import type { FieldsOf } from 'dray/internal/active-record/model.ts'
import {
  columnOf,
  type TableDefinition,
  textToValue,
  valueToText,
} from 'dray/internal/active-record/table-definition.ts'
import type { ValidationError } from 'dray/internal/active-record/validations.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import type { AnySource, AnyTarget } from 'dray/internal/pipeline/declare/any-model.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { rowTransformer } from 'dray/internal/pipeline/rows/transform-rows.ts'

/** What became of a source row. */
export type Transformed<T extends AnyTarget> =
  | {
      readonly outcome: 'loaded'
      /** What would be written, by property; a column that the database fills is not among them. */
      readonly row: Partial<Row<FieldsOf<T>>>
      readonly findings: readonly ValidationError[]
    }
  | { readonly outcome: 'filtered' }
  /** By its flag, or since the transform says `row.delete()`. */
  | { readonly outcome: 'deleted' }
  | { readonly outcome: 'quarantined'; readonly errors: readonly ValidationError[] }

/**
 * Sends one source row through a pipeline's transform and the rules of its target, as a run would, without a database.
 * Values that are not given are NULL. Throws `Configuration` for a field that the source's model does not have.
 *
 * @example
 * const { outcome } = transformed(customers, { id: 7n, name: ' ' }) assert.equal(outcome, 'quarantined')
 */
export function transformed<S extends AnySource, T extends AnyTarget>(
  pipeline: Pipeline<S, T>,
  values: Partial<Row<FieldsOf<S>>>,
  { runStartedAt = '2026-01-01 00:00:00' }: { readonly runStartedAt?: string } = {},
): Transformed<T> {
  const { definition } = pipeline.extract.source
  const transformRow = rowTransformer(pipeline as unknown as Pipeline, timestampOf(runStartedAt))
  const result = transformRow(textsOf(definition, values))
  if (result.kind === 'filtered') return { outcome: 'filtered' }
  if (result.kind === 'deleted') return { outcome: 'deleted' }
  if (result.kind === 'quarantined') return { outcome: 'quarantined', errors: result.errors }
  const columns = bulkColumns(pipeline.load.target.definition)
  const row = columns.map((column, place) => [column.name, textToValue(column, result.texts[place] ?? null)])
  return { outcome: 'loaded', row: Object.fromEntries(row), findings: result.findings }
}

function textsOf(definition: TableDefinition, values: Readonly<Record<string, unknown>>) {
  for (const name of Object.keys(values)) columnOf(definition, name)
  return definition.columns.map((column) => valueToText(column, values[column.name] ?? null))
}
