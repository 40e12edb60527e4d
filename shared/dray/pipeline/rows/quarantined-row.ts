import type { ValidationError } from '#dray/active-record/validations.ts'
import type { Text } from '#dray/block/block.ts'

/** A row that was not loaded, kept whole with the reason; or a row that was, with what was found wrong in it. */
export interface QuarantinedRow {
  readonly run: string
  readonly pipeline: string
  readonly partition: number
  readonly step: 'transform' | 'load'
  readonly errors: readonly ValidationError[]
  /** The source row by column, as the source's own text. */
  readonly row: Readonly<Record<string, Text>>
}

/** The row by column name; a prototype-less object, since a column may be called `__proto__`. */
export function byColumn(columns: readonly string[], row: readonly Text[]): Record<string, Text> {
  const named: Record<string, Text> = Object.create(null)
  columns.forEach((column, index) => {
    named[column] = row[index] ?? null
  })
  return named
}
