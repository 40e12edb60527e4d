import type { Fits } from '#dray/database/merge/fitting-rows.ts'
import { quote } from '../names.ts'
import type { TargetTable } from './target-table.ts'
import { textFormOf } from './text-forms.ts'

/**
 * A column that would round or cut a value in silence: `numeric(12,2)` rounds, `varchar(5)` drops spaces at the end,
 * `timestamp(0)` drops the fraction, `real` rounds, `jsonb` keeps one of the keys of the same name, `name` keeps 63
 * bytes, an array does to its elements what their type does. The temporary table holds its values whole, so that they
 * can be looked at.
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
  /** Whether a field is sure to be kept. */
  readonly fits?: Fits
}

/** Narrow types that are another type when they are whole. */
const WIDE: ReadonlyMap<string, string> = new Map([
  ['float4', 'float8'],
  ['jsonb', 'json'],
  ['name', 'text'],
  ['char', 'text'],
  ['money', 'text'],
  ['oid', 'text'],
  ['_float4', 'float8[]'],
  ['_varchar', 'text[]'],
])

/** What PostgreSQL changes in silence though the type has no modifier, by the text that was given. */
const LOST_OF_TEXT: ReadonlyMap<string, (column: string) => string> = new Map([
  ['name', (column) => `octet_length(${column}) > 63`],
  ['char', (column) => `(octet_length(${column}) > 1 AND ${column} !~ '^\\\\[0-7]{3}$')`],
  ['money', (column) => `${column} ~ '[.][0-9]{2}[0-9]*[1-9][^0-9]*$'`],
  ['oid', (column) => `${column} ~ '^\\s*-'`],
])

const WITH_MODIFIER = new Set(['numeric', 'varchar', 'timestamp', 'timestamptz', 'time', 'timetz', 'interval'])
const ARRAYS_WITH_MODIFIER = new Set([...WITH_MODIFIER].map((type) => `_${type}`))
/** The first server that can tell whether JSON has a key twice, and whether it would take a text at all. */
const TELLING_VERSION = 160_000

/** `texts`: columns whose values are texts as they were given, and not what a kind of a model has made of them. */
export function narrowColumns({ columns, serverVersion }: TargetTable, texts: readonly string[] = []): NarrowColumn[] {
  return columns.flatMap(({ name, type: own, fullType, held: { type, modifier } }) => {
    if (type === null) return []
    const loss = isNarrow(type, modifier, serverVersion) ? lossOf(type, fullType, modifier) : null
    const wide = WIDE.get(type) ?? type.replace(/^_(.*)/, '$1[]')
    const form = texts.includes(name) ? textFormOf(type, modifier) : null
    if (form === null) {
      return loss === null ? [] : [{ column: name, wide, type: fullType, ...loss, loses: loss.loses(quote(name)) }]
    }
    const text = quote(name)
    // What the checks of a domain refuse is for them to say.
    const held = own === null ? `pg_catalog.${type}` : fullType
    const conditions = [
      ...(serverVersion < TELLING_VERSION ? [] : [`NOT pg_input_is_valid(${text}, '${held}')`]),
      form.loses(text),
      ...(loss === null ? [] : [loss.loses(wide === 'text' ? text : `(${text}::${wide})`)]),
      // Throws what the type refuses; so that whatever is done with the rows that are left, none of them is refused.
      `(${text}::${fullType}) IS NULL`,
    ]
    const loses = `CASE WHEN ${text} IS NULL THEN false ${conditions.map((one) => `WHEN ${one} THEN true`).join(' ')} ELSE false END`
    const fits = loss === null ? form.fits : undefined
    return [{ column: name, wide: 'text', type: fullType, ...changedText(fullType), loses, ...(fits && { fits }) }]
  })
}

function isNarrow(type: string, modifier: number, serverVersion: number): boolean {
  if ((modifier >= 0 && WITH_MODIFIER.has(type)) || type === 'float4' || LOST_OF_TEXT.has(type)) return true
  if (serverVersion < TELLING_VERSION) return false
  return type === 'jsonb' || type === '_float4' || (modifier >= 0 && ARRAYS_WITH_MODIFIER.has(type))
}

interface Loss {
  loses(column: string): string
  readonly code: string
  readonly message: string
}

function changedText(type: string) {
  return { code: '22000', message: `the value does not fit ${type} without being changed` }
}

/** The modifier of varchar is its length and 4, of numeric its scale in the low eleven bits, after 4 is taken off. */
function lossOf(name: string, type: string, modifier: number): Loss {
  if (name === 'varchar') {
    return {
      loses: (column) => `char_length(${column}) > ${modifier - 4}`,
      code: '22001',
      message: `value too long for type ${type}`,
    }
  }
  if (name === 'jsonb') {
    const message = 'the JSON has a key twice, of which jsonb would keep one'
    // What jsonb refuses as a whole (half of a surrogate pair) it says by itself.
    const loses = (column: string) =>
      `(NOT (${column} IS JSON WITH UNIQUE KEYS) AND pg_input_is_valid(${column}::text, 'jsonb'))`
    return { loses, code: '22030', message }
  }
  const ofText = LOST_OF_TEXT.get(name)
  if (ofText !== undefined) return { loses: ofText, ...changedText(type) }
  const rounded = { code: '22000', message: `the value does not fit ${type} without being rounded` }
  if (name.startsWith('_')) return { loses: (column) => losesElement(column, name, type), ...rounded }
  if (name === 'float4') return { loses: losesSingle, ...rounded }
  const scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024
  const kept = (column: string) => (name === 'numeric' ? `round(${column}, ${scale})` : `${column}::${type}`)
  return { loses: (column) => `${kept(column)} <> ${column}`, ...rounded }
}

/** The cast would throw where an element is beyond its type: COPY into the table says so by itself. */
function losesElement(column: string, name: string, type: string): string {
  const wide = WIDE.get(name) ?? name.replace(/^_(.*)/, '$1[]')
  const kept = `${column}::${type}`
  const changed = `${kept}::${wide} <> ${column}`
  const loses = name === '_float4' ? `(${changed} AND ${kept}::text::${wide} <> ${column})` : changed
  return `CASE WHEN pg_input_is_valid(${column}::text, '${type}') THEN ${loses} ELSE false END`
}

/**
 * A real holds a value when it is the same, or reads as it was written: `3.4028235e+38` is more than the greatest of
 * them, and is how that is written. The cast refuses what it would make infinite, or 0.
 */
function losesSingle(column: string): string {
  const beyond = `abs(${column}) >= 3.4028235677973366e38 OR abs(${column}) <= 7.006492321624085e-46`
  const changed = `${column}::real <> ${column} AND ${column}::real::text::float8 <> ${column}`
  return `CASE WHEN ${column} IN (0, 'NaN', 'Infinity', '-Infinity') THEN false WHEN ${beyond} THEN true ELSE ${changed} END`
}

/** True for rows that hold a value which its column would change; null when no column does. */
export function losing(narrow: readonly NarrowColumn[]): string | null {
  return narrow.length === 0 ? null : `(${narrow.map(({ loses }) => loses).join(' OR ')}) IS TRUE`
}
