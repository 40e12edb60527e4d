import type { ColumnType } from '#dray/database/capabilities.ts'
import {
  anyDecimal,
  bigint,
  binary,
  boolean,
  date,
  decimal,
  double,
  integer,
  json,
  text,
  timestamp,
  uuid,
  varchar,
} from './field-kinds.ts'
import { type AnyField, Field } from './fields.ts'

/** A field as a model declares it, `decimal(12, 2)`. */
export type FieldType = ColumnType

const plain = { length: null, precision: null, scale: null } as const

export const typeOf = (kind: Exclude<FieldType['kind'], 'varchar' | 'decimal'>): FieldType => ({ kind, ...plain })
export const varcharOf = (length: number): FieldType => ({ ...plain, kind: 'varchar', length })
export const binaryOf = (length: number): FieldType => ({ ...plain, kind: 'binary', length })
export const decimalWith = (precision: number, scale: number): FieldType => ({
  ...plain,
  kind: 'decimal',
  precision,
  scale,
})

const makers = {
  bigint,
  integer,
  double,
  boolean,
  date,
  timestamp,
  json,
  uuid,
  text,
} as const

/** The field itself. */
export function fieldOf(type: FieldType): AnyField {
  const field = plainField(type)
  return type.native === undefined ? field : new Field({ ...field.settings, native: type.native })
}

function plainField({ kind, length, precision, scale }: FieldType): AnyField {
  if (kind === 'varchar') return varchar(length as number)
  if (kind === 'decimal') return precision === null ? anyDecimal() : decimal(precision, scale as number)
  return kind === 'binary' ? binary(length ?? undefined) : makers[kind]()
}

/** As TypeScript. */
export function fieldText({ kind, length, precision, scale }: FieldType): string {
  if (kind === 'decimal') return `decimal(${precision}, ${scale})`
  return `${kind}(${length ?? ''})`
}
