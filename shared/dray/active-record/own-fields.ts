import type { Text } from '#dray/block/block.ts'
import { internals, type SourceRecord } from './record.ts'
import type { ColumnDefinition, RecordRow } from './table-definition.ts'

/** Gives a record the row that it was made of. */
export function takeRow(record: SourceRecord, row: readonly Text[]): void {
  internals.load(record, row as RecordRow)
}

/**
 * Gives a record own fields, read by the accessors of its class: a spread and a list of its keys have them.
 * Columns that were not selected are left out.
 */
export function withOwnFields<T extends SourceRecord>(record: T, columns: readonly ColumnDefinition[]): T {
  const row = internals.row(record)
  for (const { name, index } of columns) {
    const accessor = accessorOf(record, name)
    if (accessor === undefined || row[index] === undefined) continue
    Object.defineProperty(record, name, { ...accessor, enumerable: true, configurable: true })
  }
  return record
}

function accessorOf(record: object, name: string): PropertyDescriptor | undefined {
  for (let from = Object.getPrototypeOf(record); from !== null; from = Object.getPrototypeOf(from)) {
    const found = Object.getOwnPropertyDescriptor(from, name)
    if (found !== undefined) return found
  }
  return undefined
}
