import { candidatesOf } from 'dray/internal/active-record/candidates.ts'
import { fieldText } from 'dray/internal/active-record/field-type.ts'
import type { ModelTable } from 'dray/internal/active-record/model-table.ts'
import { type ColumnDefinition, snakeCase } from 'dray/internal/active-record/table-definition.ts'
import type { LiveColumn, LiveTable } from 'dray/internal/database/adapter.ts'
import type { FieldKind } from 'dray/internal/database/field-kind.ts'
import { kindsHolding, type LiveTypes } from 'dray/internal/database/live-types.ts'
import { quotedText } from './literals.ts'
import { propertiesOf } from './names.ts'

/** What a field of a source model has to be, since its column has changed. */
export interface PulledField {
  /** The property. */
  readonly name: string
  /** `varchar(40)`; null where the kind stays. */
  readonly kind: string | null
  readonly becomesNullable: boolean
  /** The column is gone, and the field with it. */
  readonly isGone: boolean
  /** `email was varchar(20) in the model and is character varying(40)` */
  readonly why: string
}

/** What no field of the model reads, with the line that would. */
export interface NewColumn {
  readonly column: string
  readonly line: string
}

/** Holds a model that reads against its live table; no `liveTypes` where a column holds any value. */
export function pulledFields(
  { definition }: ModelTable,
  live: LiveTable,
  liveTypes: LiveTypes | null,
): { readonly fields: readonly PulledField[]; readonly news: readonly NewColumn[] } {
  const fields = definition.columns.flatMap((column) => {
    const found = live.columns.find(({ name }) => name === column.column)
    const one = found === undefined ? gone(column) : changed(column, found, liveTypes)
    return one === null ? [] : [one]
  })
  const news = live.columns
    .filter(({ name }) => !definition.columnNames.includes(name))
    .map((column) => ({ column: column.name, line: lineOf(column, liveTypes) }))
  return { fields, news }
}

function gone({ name, column }: ColumnDefinition): PulledField {
  return { name, kind: null, becomesNullable: false, isGone: true, why: `the column ${column} is gone` }
}

function changed(
  { name, column, field }: ColumnDefinition,
  live: LiveColumn,
  liveTypes: LiveTypes | null,
): PulledField | null {
  const { kind, length, precision, scale, isNullable, isPrimaryKey } = field.settings
  const isHeld = liveTypes === null || kindsHolding(liveTypes, live.type).includes(kind)
  const sizes = sizesOf(live.type)
  const [first, second = 0] = sizes
  const isResized =
    isHeld &&
    ((kind === 'varchar' && /char/i.test(live.type) && first !== undefined && first !== length) ||
      (kind === 'decimal' &&
        /numeric|decimal/i.test(live.type) &&
        first !== undefined &&
        (first !== precision || second !== scale)))
  const next = isHeld ? (isResized ? declared(kind, sizes) : null) : bestText(live, liveTypes)
  const becomesNullable = live.nullable && !isNullable && !isPrimaryKey
  if (next === null && !becomesNullable) return null
  const why = [
    ...(next === null ? [] : [`the column ${column} is ${live.type}`]),
    ...(becomesNullable ? [`the column ${column} may be NULL`] : []),
  ].join(', ')
  return { name, kind: next, becomesNullable, isGone: false, why }
}

/** The same as `dray add` would declare. */
function bestText(live: LiveColumn, liveTypes: LiveTypes | null): string {
  if (liveTypes === null) return 'text()'
  const [type] = candidatesOf(live, undefined, liveTypes).types
  return type === undefined ? 'decimal(38, 18)' : fieldText(type)
}

function sizesOf(type: string): number[] {
  const [, sizes] = /\((\d+(?:,\d+)?)\)/.exec(type) ?? []
  return sizes === undefined ? [] : sizes.split(',').map(Number)
}

/** Of a column that has such sizes. */
function declared(kind: FieldKind, [first, second = 0]: readonly number[]): string {
  return kind === 'varchar' ? `varchar(${first})` : `decimal(${first}, ${second})`
}

function lineOf(column: LiveColumn, liveTypes: LiveTypes | null): string {
  const [property = ''] = propertiesOf([column.name])
  const kind = bestText(column, liveTypes)
  const named = snakeCase(property) === column.name ? '' : `.column(${quotedText(column.name)})`
  return `${property}: ${kind}${column.nullable ? '.nullable()' : ''}${named},`
}
