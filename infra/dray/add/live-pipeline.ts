import type { Database } from 'dray/internal/active-record/database.ts'
import { type FieldType, fieldOf } from 'dray/internal/active-record/field-type.ts'
import type { AnyField } from 'dray/internal/active-record/fields.ts'
import type { ModelClass, SourceClass } from 'dray/internal/active-record/model.ts'
import { snakeCase } from 'dray/internal/active-record/table-definition.ts'
import { copyFields } from 'dray/internal/pipeline/declare/copy-fields.ts'
import { changedSince, fullLoad, xid } from 'dray/internal/pipeline/declare/extraction.ts'
import { replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { type AddedTable, keyOf } from './added-table.ts'

/** The pipeline itself, as the files that are going to be written declare it. */
export function livePipeline(
  added: AddedTable,
  source: Database,
  target: Database,
): Pipeline & { readonly model: ModelClass } {
  const from = source.source(added.source.table, fieldsOf(added, 'source')) as SourceClass
  const to = target.table(added.target.table, fieldsOf(added, 'target')) as ModelClass
  const { reading } = added
  const by = keyOf(added).map(({ property }) => property)
  const made = pipeline(added.pipeline, {
    extract:
      reading.kind === 'fullLoad'
        ? fullLoad(from)
        : changedSince(from, { cursor: reading.isXid ? xid(reading.cursor) : reading.cursor }),
    transform: copyFields(from, Object.fromEntries(added.fields.map(({ property }) => [property, property]))) as never,
    load:
      added.load === 'replace'
        ? replace(to, { allowEmpty: added.isEmpty })
        : upsert(to, { by, ...(reading.kind === 'fullLoad' ? {} : { version: reading.cursor }) }),
  })
  return { ...(made as unknown as Pipeline), model: to }
}

function fieldsOf({ fields }: AddedTable, side: 'source' | 'target'): Record<string, AnyField> {
  return Object.fromEntries(
    fields.map((field) => {
      const { property, isKey, isNullable } = field
      const column = side === 'source' ? field.column : field.targetColumn
      return [
        property,
        declared(field[side], { isKey, isNullable, column: snakeCase(property) === column ? null : column }),
      ]
    }),
  )
}

interface Declared {
  readonly isKey: boolean
  readonly isNullable: boolean
  readonly column: string | null
}

function declared(type: FieldType, { isKey, isNullable, column }: Declared): AnyField {
  let field: AnyField = fieldOf(type)
  if (isKey) field = field.primaryKey()
  if (isNullable) field = field.nullable()
  return column === null ? field : field.column(column)
}
