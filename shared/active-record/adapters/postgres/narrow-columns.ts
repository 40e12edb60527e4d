import type { MergeTarget, Text } from '../../adapter.ts'
import { quote, quoteTable } from './names.ts'

/**
 * A column that would round or cut a value in silence: `numeric(12,2)` rounds, `varchar(5)` drops spaces at the end,
 * `timestamp(0)` drops the fraction. The temporary table holds its values whole, so that they can be looked at.
 */
export interface NarrowColumn {
  readonly column: string
  /** The type that holds every value whole. */
  readonly wide: string
  readonly type: string
  /** A condition that is true for values that the column would change. */
  readonly loses: string
  readonly code: string
  readonly message: string
}

const NARROW = `
  SELECT a.attname, t.typname, format_type(a.atttypid, a.atttypmod), a.atttypmod
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid AND t.typnamespace = 'pg_catalog'::regnamespace
  WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypmod >= 0
    AND t.typname IN ('numeric', 'varchar', 'timestamp', 'timestamptz', 'time', 'timetz')`

export async function narrowColumns(
  rows: (sql: string, values: readonly string[]) => Promise<readonly (readonly Text[])[]>,
  { table, columns }: MergeTarget,
): Promise<NarrowColumn[]> {
  const found = (await rows(NARROW, [quoteTable(table)])) as readonly [string, string, string, string][]
  return found
    .filter(([column]) => columns.includes(column))
    .map(([column, wide, type, modifier]) => ({
      column,
      wide,
      type,
      ...lossOf(quote(column), wide, type, Number(modifier)),
    }))
}

/** The modifier of varchar is its length and 4, of numeric its scale in the low eleven bits, after 4 is taken off. */
function lossOf(column: string, wide: string, type: string, modifier: number) {
  if (wide === 'varchar') {
    return {
      loses: `char_length(${column}) > ${modifier - 4}`,
      code: '22001',
      message: `value too long for type ${type}`,
    }
  }
  const scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024
  const kept = wide === 'numeric' ? `round(${column}, ${scale})` : `${column}::${type}`
  return {
    loses: `${kept} <> ${column}`,
    code: '22000',
    message: `the value does not fit ${type} without being rounded`,
  }
}

/** True for rows that hold a value which its column would change; null when no column does. */
export function losing(narrow: readonly NarrowColumn[]): string | null {
  return narrow.length === 0 ? null : `(${narrow.map(({ loses }) => loses).join(' OR ')}) IS TRUE`
}
