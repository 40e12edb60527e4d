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

/** Whether a line of the quarantine says a row: it was read without a reference, which would tell. */
export function isQuarantinedRow(line: unknown): line is QuarantinedRow {
  const { run, pipeline, partition, step, errors, row } = Object(line) as Partial<QuarantinedRow>
  return (
    typeof run === 'string' &&
    typeof pipeline === 'string' &&
    Number.isSafeInteger(partition) &&
    (step === 'transform' || step === 'load') &&
    Array.isArray(errors) &&
    errors.every(isError) &&
    typeof row === 'object' &&
    row !== null &&
    !Array.isArray(row) &&
    Object.values(row).every((value) => value === null || typeof value === 'string')
  )
}

/** What a transform gives as its reason is not looked at: it may have forgotten a text. */
function isError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { field, code, message } = error as Partial<ValidationError>
  return [field, code, message].every((text) => typeof text !== 'object')
}

/** The row by column name; a prototype-less object, since a column may be called `__proto__`. */
export function byColumn(columns: readonly string[], row: readonly Text[]): Record<string, Text> {
  const named: Record<string, Text> = Object.create(null)
  columns.forEach((column, index) => {
    named[column] = row[index] ?? null
  })
  return named
}
