import type { Text } from '#dray/block/block.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError } from '#dray/errors.ts'
import type { ColumnDefinition, TableDefinition } from './table-definition.ts'

/** A value that was written, and what the database has of it. */
export interface WrittenValue {
  readonly column: ColumnDefinition
  readonly given: Text
  readonly stored: Text
}

/**
 * Throws `DataQuality` for the first value that its column has changed: `timestamp(0)` rounds microseconds,
 * `numeric(12,2)` a third digit, a real a double. What a trigger of the table may have changed is taken as it is, and
 * so is text that a column of another type than text writes in its own way.
 */
export async function refuseChanged(
  written: readonly WrittenValue[],
  { table }: TableDefinition,
  connection: Connection,
  adapter: Adapter,
): Promise<void> {
  const changed = written.find((value) => !isKept(adapter, value))
  if (changed === undefined || (await isAllowed(changed.column, table, connection, adapter))) return
  const { column, given, stored } = changed
  throw new DataQualityError(
    column.column,
    'not_kept',
    `${JSON.stringify(given)} would be stored as ${JSON.stringify(stored)}: the column cannot hold it as it is`,
  )
}

export function areKept(adapter: Adapter, written: readonly WrittenValue[]): boolean {
  return written.every((value) => isKept(adapter, value))
}

/** Whether the database has the value that was given, in whatever form it writes it. */
function isKept(adapter: Adapter, { column, given, stored }: WrittenValue): boolean {
  if (given === stored) return true
  if (given === null || stored === null) return false
  try {
    return isSame(adapter, column, given, stored)
  } catch {
    return false
  }
}

function isSame(adapter: Adapter, { field }: ColumnDefinition, given: string, stored: string): boolean {
  const { kind, cast } = field.settings
  switch (kind) {
    case 'double':
      return isSameNumber(adapter, Number(given), Number(stored))
    case 'decimal':
      return plainDigits(given) === plainDigits(stored)
    case 'text':
    case 'varchar':
      // A column of fixed width fills up with spaces, and says so.
      return given.padEnd(stored.length) === stored
    case 'json':
      return keysOf(given) === keysOf(stored)
    case 'uuid':
      return uuidDigits(given) === uuidDigits(stored)
    case 'binary':
      return given.toLowerCase() === stored.toLowerCase()
    default:
      return cast(given) === cast(stored)
  }
}

function isSameNumber({ floatDigits }: Adapter, given: number, stored: number): boolean {
  if (Object.is(given, stored)) return true
  if (floatDigits === null) return false
  // What a FLOAT holds is read with all of its digits: it holds a value that it would write as it was given.
  return Math.fround(given) === stored && Number(stored.toPrecision(floatDigits)) === given
}

/** A decimal without zeros that say nothing, and without an exponent. */
function plainDigits(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
  const digits = whole + fraction
  if (digits === '') return text
  const significant = digits.replace(/^0+/, '')
  if (significant === '') return '0'
  const point = whole.length - (digits.length - significant.length) + Number(exponent)
  return `${sign === '-' ? '-' : ''}${significant.replace(/0+$/, '')}e${point}`
}

/** How many keys the objects of a document have: of keys of the same name `jsonb` keeps one. */
function keysOf(document: string): number {
  return document.replace(/"[^"\\]*(?:\\.[^"\\]*)*"/g, '').split(':').length
}

function uuidDigits(text: string): string {
  return text.replace(/[{}-]/g, '').toLowerCase()
}

async function isAllowed(
  { column, field }: ColumnDefinition,
  table: string,
  connection: Connection,
  adapter: Adapter,
): Promise<boolean> {
  const reasons = adapter.schema.reasonsToChange(table, column, field.settings.kind)
  const statement = compile(adapter, reasons)
  return (await connection.query(statement.sql, statement.parameters)).rows.length > 0
}
