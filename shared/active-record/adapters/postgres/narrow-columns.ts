import type { MergeTarget, Text } from '../../adapter.ts'
import { quote, quoteTable } from './names.ts'

/**
 * A column that would round or cut a value in silence: `numeric(12,2)` rounds, `varchar(5)` drops spaces at the end,
 * `timestamp(0)` drops the fraction, `real` rounds, `jsonb` keeps one of the keys of the same name. The temporary table holds its values whole, so that they can be looked at.
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
  WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND (
    a.atttypmod >= 0 AND t.typname IN ('numeric', 'varchar', 'timestamp', 'timestamptz', 'time', 'timetz', 'interval')
    OR t.typname = 'float4' OR t.typname = 'jsonb' AND current_setting('server_version_num')::int >= 160000)`

/** Narrow types that are another type when they are whole. */
const WIDE: ReadonlyMap<string, string> = new Map([
  ['float4', 'float8'],
  ['jsonb', 'json'],
])

export async function narrowColumns(
  rows: (sql: string, values: readonly string[]) => Promise<readonly (readonly Text[])[]>,
  { table, columns }: MergeTarget,
): Promise<NarrowColumn[]> {
  const found = (await rows(NARROW, [quoteTable(table)])) as readonly [string, string, string, string][]
  return found
    .filter(([column]) => columns.includes(column))
    .map(([column, name, type, modifier]) => ({
      column,
      wide: WIDE.get(name) ?? name,
      type,
      ...lossOf(quote(column), name, type, Number(modifier)),
    }))
}

/** The modifier of varchar is its length and 4, of numeric its scale in the low eleven bits, after 4 is taken off. */
function lossOf(column: string, name: string, type: string, modifier: number) {
  if (name === 'varchar') {
    return {
      loses: `char_length(${column}) > ${modifier - 4}`,
      code: '22001',
      message: `value too long for type ${type}`,
    }
  }
  if (name === 'jsonb') {
    const message = 'the JSON has a key twice, of which jsonb would keep one'
    return { loses: `NOT (${column} IS JSON WITH UNIQUE KEYS)`, code: '22030', message }
  }
  const message = `the value does not fit ${type} without being rounded`
  if (name === 'float4') return { loses: losesSingle(column), code: '22000', message }
  const scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024
  const kept = name === 'numeric' ? `round(${column}, ${scale})` : `${column}::${type}`
  return { loses: `${kept} <> ${column}`, code: '22000', message }
}

/** A real holds a value when it is the same, or reads as it was written; the cast refuses what is beyond its range. */
function losesSingle(column: string): string {
  const beyond = `abs(${column}) > 3.4028234663852886e38 OR abs(${column}) < 1.4e-45`
  const changed = `${column}::real <> ${column} AND ${column}::real::text::float8 <> ${column}`
  return `CASE WHEN ${column} IN (0, 'NaN', 'Infinity', '-Infinity') THEN false WHEN ${beyond} THEN true ELSE ${changed} END`
}

/** True for rows that hold a value which its column would change; null when no column does. */
export function losing(narrow: readonly NarrowColumn[]): string | null {
  return narrow.length === 0 ? null : `(${narrow.map(({ loses }) => loses).join(' OR ')}) IS TRUE`
}
