import type { ValueOf } from '#dray/active-record/fields.ts'
import type { FieldsOf } from '#dray/active-record/model.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import { valueToText } from '#dray/active-record/table-definition.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { ConfigurationError, DataQualityError } from '#dray/errors.ts'
import type { AnyTarget } from './any-model.ts'
import type { Loading } from './loading.ts'

/** The rows of a shared table that are a pipeline's: by fields of its key, each with a value or several. */
export type OwnedRows<T extends AnyTarget = AnyTarget> = {
  readonly [K in keyof FieldsOf<T> & string]?: Value<FieldsOf<T>[K]> | readonly Value<FieldsOf<T>[K]>[]
}
type Value<F> = NonNullable<ValueOf<F>>

/** A column of the target's key, with the texts that rows of the pipeline have in it. */
export interface OwnedColumn {
  readonly column: ColumnDefinition
  readonly texts: readonly string[]
}

/** Kinds of which each value has one text. */
const TOLD_APART: ReadonlySet<FieldKind> = new Set<FieldKind>([
  ...(['text', 'varchar', 'bigint', 'integer', 'boolean', 'date', 'uuid'] as const),
])

/** Makes it out and refuses what does not keep the rows of two pipelines apart. */
export function ownedColumnsOf(name: string, where: OwnedRows | undefined, load: Loading): readonly OwnedColumn[] {
  if (where === undefined) return []
  const refuse = (what: string) => new ConfigurationError(`pipeline('${name}'): deletes: { where } ${what}`)
  if (load.kind === 'replace') throw refuse('does not go with replace(), which leaves no other row; use upsert()')
  const entries = Object.entries(where)
  if (entries.length === 0) throw refuse('names no field; name one of the key, as { origin: "crm" }')
  return entries.map(([field, value]) => {
    const column = load.target.definition.byName.get(field)
    if (column === undefined) throw refuse(`names the field "${field}", which the target does not have`)
    if (!load.by.includes(field)) {
      throw refuse(
        `names the field "${field}", which is no part of the key (${load.by.join(', ')}), so a row of another pipeline could take the place of one of this one; make it a part of the target's key, and name it in by`,
      )
    }
    const { kind } = column.field.settings
    if (!TOLD_APART.has(kind))
      throw refuse(`names the field "${field}" of the kind ${kind}; name a text, a whole number, a day or a flag`)
    const values = [value].flat()
    if (values.length === 0 || values.some((one) => one === null || one === undefined))
      throw refuse(`gives "${field}" no value; give the values that the pipeline's rows have`)
    try {
      return { column, texts: values.map((one) => valueToText(column, one) as string) }
    } catch (error) {
      if (!(error instanceof DataQualityError)) throw error
      throw refuse(`gives "${field}" a value that the field refuses: ${error.message}`)
    }
  })
}
