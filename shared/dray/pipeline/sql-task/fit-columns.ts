import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Adapter, LiveColumn } from '#dray/database/adapter.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { kindsHolding } from '#dray/database/live-types.ts'
import { ConfigurationError } from '#dray/errors.ts'
import { type SqlWork, selectedColumns } from '#dray/pipeline/declare/sql-task.ts'

/** Between these a value is looked at when it is written: one that would be rounded is refused. */
const NUMBERS: ReadonlySet<FieldKind> = new Set(['integer', 'bigint', 'decimal', 'double'])
const WHOLE: ReadonlySet<FieldKind> = new Set(['integer', 'bigint'])

/** Throws `Configuration` where the columns of a SELECT are not those of the table that it is for. */
export function refuseMisfit(name: string, work: SqlWork, selected: readonly LiveColumn[], adapter: Adapter): void {
  const { database, table } = work.into.definition
  const wanted = selectedColumns(work)
  const names = selected.map((column) => column.name)
  const faults = [
    ...repeated(names).map((one) => `${one} is selected twice: give one of them another name`),
    ...wanted.flatMap((column) => missing(column, names)),
    ...names.filter((one) => !wanted.some(({ column }) => column === one)).map((one) => extra(work, one)),
    ...wanted.flatMap((column) => misfit(column, selected, adapter)),
  ]
  if (faults.length === 0) return
  throw new ConfigurationError(
    `${name}: the SELECT does not fit ${database}.${table}, so nothing was written: ${[...new Set(faults)].join('; ')}`,
  )
}

function repeated(names: readonly string[]): string[] {
  return names.filter((name, place) => names.indexOf(name) !== place)
}

function missing({ column, name }: ColumnDefinition, names: readonly string[]): string[] {
  if (names.includes(column)) return []
  const otherCase = names.find((one) => one.toLowerCase() === column.toLowerCase())
  if (otherCase !== undefined) {
    return [
      `it has ${otherCase}, and the column is ${column}: write … as ${column}, in quotes where the database folds it`,
    ]
  }
  return [`it has no column ${column} (the field ${name}): write … as ${column}`]
}

function extra({ into, deletes }: SqlWork, name: string): string {
  const known = into.definition.columns.find(({ column }) => column === name)
  if (known === undefined) return `the model has no field for its column ${name}: add one, or leave the column out`
  return known === deletes.field || known.field.settings.isTouched
    ? `${name} is filled by the task itself: leave it out`
    : `${name} is filled by the database itself: leave it out`
}

function misfit({ column, field }: ColumnDefinition, selected: readonly LiveColumn[], adapter: Adapter): string[] {
  const found = selected.find(({ name }) => name === column)
  const { liveTypes } = adapter.schema
  if (found === undefined || liveTypes === null || found.type === '') return []
  const { kind } = field.settings
  const kinds = kindsHolding(liveTypes, found.type)
  if (kinds.includes(kind)) return []
  const [own] = kinds as readonly [FieldKind]
  if (NUMBERS.has(own) && NUMBERS.has(kind)) return []
  if (WHOLE.has(own) && kind === 'boolean') return []
  const type = adapter.schema.columnType(field.settings)
  return [`${column} is ${found.type}, and the field holds ${kind}: write cast(… as ${type}) as ${column}`]
}
