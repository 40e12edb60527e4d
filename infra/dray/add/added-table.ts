import type { FieldType } from 'dray/internal/active-record/field-type.ts'
import type { Text } from 'dray/internal/block/block.ts'

/** A column, and the fields of both models. */
export interface AddedField {
  readonly property: string
  readonly column: string
  readonly targetColumn: string
  readonly source: FieldType
  readonly target: FieldType
  readonly isNullable: boolean
  readonly isKey: boolean
  /** Its type says no digits: they are those of the values that were there. */
  readonly isMeasured: boolean
  /** What the database says of the column. */
  readonly comment: string | null
}

export interface AddedModel {
  readonly database: string
  readonly table: string
  readonly className: string
}

/** What tells the changed rows, or why nothing does. */
export type Reading =
  | { readonly kind: 'changedSince'; readonly cursor: string; readonly isXid: boolean }
  | { readonly kind: 'fullLoad'; readonly reason: string }

/** All that is going to be written of one table. */
export interface AddedTable {
  readonly pipeline: string
  readonly constant: string
  readonly source: AddedModel
  /** The project has a model of the table already, in which the fields are called so. */
  readonly hasSourceModel: boolean
  readonly target: AddedModel
  readonly fields: readonly AddedField[]
  readonly comment: string | null
  readonly reading: Reading
  /** Without a key, rows cannot be told from each other. */
  readonly load: 'upsert' | 'replace'
  readonly isEmpty: boolean
  /** The first rows, by the place of the field. */
  readonly rows: readonly (readonly Text[])[]
}

export const keyOf = ({ fields }: AddedTable): readonly AddedField[] => fields.filter(({ isKey }) => isKey)
