import type { FieldType } from 'dray/internal/active-record/field-type.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { type Habit, inHabit } from 'dray/internal/active-record/names.ts'
import type { TableDefinition } from 'dray/internal/active-record/table-definition.ts'
import { targetTypes } from 'dray/internal/active-record/target-types.ts'
import type { Adapter } from 'dray/internal/database/adapter.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { AddedField, AddedTable } from './added-table.ts'
import type { ReadTable } from './live-table.ts'
import { propertiesOf } from './names.ts'
import { readingOf } from './reading.ts'

export interface Names {
  readonly pipeline: string
  readonly constant: string
  readonly source: AddedTable['source']
  readonly target: AddedTable['target']
}

export interface Circumstances {
  readonly read: ReadTable
  /** A model of the table that the project has. */
  readonly known: TableDefinition | null
  readonly targetAdapter: Adapter
  readonly habit: Habit
  /** The column that the user names as the cursor. */
  readonly cursor: string | null
}

/** What is going to be written of one table. */
export function plannedTable(names: Names, circumstances: Circumstances): AddedTable {
  const { read, known, cursor } = circumstances
  const fields = fieldsOf(circumstances)
  if (cursor !== null && !fields.some(({ column }) => column === cursor)) {
    throw new ConfigurationError(
      `${names.source.database}.${names.source.table} has no column ${cursor}, so it is no cursor and nothing was written; name one of ${fields.map(({ column }) => column).join(', ')}.`,
    )
  }
  const load = fields.some(({ isKey }) => isKey) ? 'upsert' : 'replace'
  const reading = readingOf(fields, { ...read, columns: read.live.columns, cursor })
  const isKeyless = load === 'replace' && reading.kind === 'changedSince'
  return {
    ...names,
    hasSourceModel: known !== null,
    fields,
    comment: read.details.comment,
    reading: isKeyless
      ? { kind: 'fullLoad', reason: 'without a key a changed row is not known from a new one' }
      : reading,
    load,
    isEmpty: read.rows.length === 0,
    rows: rowsOf(fields, read),
  }
}

/** The fields, in the order of the columns or of the model that is there. */
function fieldsOf({ read, known, targetAdapter, habit }: Circumstances): AddedField[] {
  const columns = known === null ? orderedColumns(read) : known.columnNames
  const properties = known === null ? propertiesOf(columns) : known.columns.map(({ name }) => name)
  const key = known === null || known.primaryKey.length === 0 ? read.key : known.primaryKey.map(({ column }) => column)
  const sources = columns.map((column, place) =>
    sourceType(column, known?.columns[place]?.field.settings ?? null, read),
  )
  const targets = targetTypes(
    sources.map((type, place) => ({ type, isKey: key.includes(columns[place] as string) })),
    targetAdapter,
  )
  const fields = columns.map((column, place): AddedField => {
    const property = properties[place] as string
    const isKey = key.includes(column)
    return {
      property,
      column,
      targetColumn: inHabit(column, habit),
      source: sources[place] as FieldType,
      target: targets[place] as FieldType,
      isNullable: !isKey && isNullable(column, known, read),
      isKey,
      comment: known === null ? (read.details.columns.get(column)?.comment ?? null) : null,
      isMeasured: known === null && sources[place]?.kind === 'decimal' && hasNoSize(typeIn(column, read)),
    }
  })
  return unlikeColumns(fields)
}

/** In the order of the table; of a composite key in that of the key, by which rows are read. */
function orderedColumns({ live, key }: ReadTable): readonly string[] {
  const names = live.columns.map(({ name }) => name)
  const places = key.map((name) => names.indexOf(name))
  const isInOrder = places.every((place, index) => index === 0 || place > (places[index - 1] as number))
  return isInOrder ? names : [...key, ...names.filter((name) => !key.includes(name))]
}

function typeIn(column: string, { live }: ReadTable): string {
  return live.columns.find(({ name }) => name === column)?.type ?? ''
}

/** Of a whole number the type itself says the digits: a `bigint unsigned` has 20. */
function hasNoSize(type: string): boolean {
  return !/\d|int/i.test(type)
}

function sourceType(column: string, settings: FieldType | null, { live, types }: ReadTable): FieldType {
  if (settings !== null) {
    const { kind, length, precision, scale } = settings
    return { kind, length, precision, scale }
  }
  return types[live.columns.findIndex(({ name }) => name === column)] as FieldType
}

function isNullable(column: string, known: TableDefinition | null, { live }: ReadTable): boolean {
  const settings = known?.columns.find((one) => one.column === column)?.field.settings
  return settings?.isNullable ?? live.columns.find(({ name }) => name === column)?.nullable ?? true
}

/** Most engines take two names that differ in their capitals alone for one. */
function unlikeColumns(fields: readonly AddedField[]): AddedField[] {
  const given = new Set<string>()
  return fields.map((field) => {
    let free = field.targetColumn
    for (let count = 2; given.has(free.toLowerCase()); count++) free = `${field.targetColumn}_${count}`
    given.add(free.toLowerCase())
    return { ...field, targetColumn: free }
  })
}

function rowsOf(fields: readonly AddedField[], { live, rows }: ReadTable): AddedTable['rows'] {
  const places = fields.map(({ column }) => live.columns.findIndex(({ name }) => name === column))
  return rows.map((row) => places.map((place) => row[place] ?? null))
}

/** What keeps the target from being what the new model says; null where nothing does. */
export async function targetFault(
  model: ModelClass,
): Promise<{ readonly isMissing: boolean; readonly fault: string | null }> {
  const differences = await model.checkSchema()
  const isMissing = differences.some(({ kind }) => kind === 'missing_table')
  const fault = isMissing ? null : (differences[0]?.message ?? null)
  return { isMissing, fault }
}
