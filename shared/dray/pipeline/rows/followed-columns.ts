import { type FieldType, fieldOf } from '#dray/active-record/field-type.ts'
import type { Fields } from '#dray/active-record/fields.ts'
import { widerModel } from '#dray/active-record/wider-model.ts'
import { copyFields, mappingOf } from '#dray/pipeline/declare/copy-fields.ts'
import type { HistoryFields } from '#dray/pipeline/declare/loading.ts'
import type { Pipeline, RowContext, Transform } from '#dray/pipeline/declare/pipeline.ts'

/** A column that no model knows and that a run takes over as it is; staged with the run's plan. */
export interface FollowedColumn {
  /** The property that it has in both models. */
  readonly name: string
  readonly source: FieldType & { readonly column: string }
  readonly target: FieldType & { readonly column: string }
}

/** The pipelines with more columns are made once: a model's code is generated for its class. */
const made = new WeakMap<Pipeline, Map<string, Pipeline>>()

/** The pipeline as if both models had these fields, and the transform passed them on. */
export function withColumns(pipeline: Pipeline, columns: readonly FollowedColumn[] | undefined): Pipeline {
  if (columns === undefined || columns.length === 0 || !pipeline.columns.areFollowed) return pipeline
  const key = JSON.stringify(columns)
  const known = made.get(pipeline) ?? new Map<string, Pipeline>()
  made.set(pipeline, known)
  const wider = known.get(key) ?? widened(pipeline, columns)
  known.set(key, wider)
  return wider
}

function widened(pipeline: Pipeline, columns: readonly FollowedColumn[]): Pipeline {
  const { extract, load } = pipeline
  const source = widerModel(extract.source, fieldsOf(columns, 'source'))
  const target = widerModel(load.target, fieldsOf(columns, 'target'))
  const names = columns.map(({ name }) => name)
  return {
    ...pipeline,
    extract: { ...extract, source },
    load: { ...load, target, history: load.history && comparing(pipeline, load.history, names) },
    transform: passingOn(pipeline.transform, source, names),
  }
}

function fieldsOf(columns: readonly FollowedColumn[], side: 'source' | 'target'): Fields {
  return Object.fromEntries(
    columns.map((column) => [column.name, fieldOf(column[side]).nullable().column(column[side].column)]),
  )
}

/** A history that compares all that it may compares the new columns as well. */
function comparing({ load }: Pipeline, history: HistoryFields, names: readonly string[]): HistoryFields {
  const { columns, touched, lockVersion } = load.target.definition
  const own = [...load.by, history.validFrom, history.validTo, history.current]
  const left = columns.filter((column) => !own.includes(column.name) && !touched.includes(column))
  const comparesAll = left.every((column) => column === lockVersion || history.compare.includes(column.name))
  return comparesAll ? { ...history, compare: [...history.compare, ...names] } : history
}

/** What the transform itself gives for a property counts. */
function passingOn(
  transform: Pipeline['transform'],
  source: Pipeline['extract']['source'],
  names: readonly string[],
): Pipeline['transform'] {
  const mapping = mappingOf(transform)
  if (mapping !== null) {
    const own = Object.fromEntries(names.map((name) => [name, name]))
    return copyFields(source, { ...mapping, ...own } as never) as Transform<never, never> as Pipeline['transform']
  }
  return ((row: Readonly<Record<string, unknown>>, context: RowContext) => {
    const attributes = transform(row as never, context) as Readonly<Record<string, unknown>> | null
    if (typeof attributes !== 'object' || attributes === null) return attributes
    const missing = names.filter((name) => !(name in attributes))
    if (missing.length === 0) return attributes
    return { ...attributes, ...Object.fromEntries(missing.map((name) => [name, row[name]])) }
  }) as unknown as Pipeline['transform']
}
