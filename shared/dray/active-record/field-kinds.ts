import type { FieldKind } from '#dray/database/field-kind.ts'
import { ConfigurationError, DataQualityError } from '#dray/errors.ts'
import { Field, type Rule, type Settings } from './fields.ts'
import {
  type DateText,
  type Decimal,
  dateOf,
  decimalOf,
  fitsDecimal,
  type JsonText,
  type Timestamp,
  timestampOf,
} from './values.ts'

function field<T>(
  kind: FieldKind,
  cast: (text: string) => T,
  toText: (value: T) => string,
  size: Partial<Pick<Settings<T>, 'length' | 'precision' | 'scale' | 'rules'>> = {},
): Field<T> {
  return new Field<T>({
    kind,
    cast,
    toText,
    column: null,
    isNullable: false,
    isPrimaryKey: false,
    isOptional: false,
    isGenerated: false,
    isDefaulted: false,
    isTouched: false,
    isLanded: false,
    isLockVersion: false,
    length: null,
    precision: null,
    scale: null,
    rules: [],
    ...size,
  })
}

function refuse(kind: string, value: unknown): never {
  const shown = String(value)
  const text = shown.length > 40 ? `${shown.slice(0, 40)}…` : shown
  throw new DataQualityError('', `invalid_${kind}`, `${JSON.stringify(text)} is not a ${kind}`)
}

/** A size of a kind, as all databases take it. Throws `Configuration` for one that none does. */
function atLeast(least: number, kind: string, size: number): number {
  if (Number.isSafeInteger(size) && size >= least) return size
  throw new ConfigurationError(`${kind}() was given the size ${size}; it is a whole number, ${least} or more`)
}

const INTEGER = /^[+-]?\d{1,20}$/

/** Below 2^53, where `Number` is exact and far quicker than `BigInt` of a text. */
const FEW_DIGITS = 15

function areDigits(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 48
    if (!(digit >= 0 && digit <= 9)) return false
  }
  return text.length > 0
}

function toBigint(text: string): bigint {
  if (text.length <= FEW_DIGITS && areDigits(text)) return BigInt(Number(text))
  return INTEGER.test(text) ? BigInt(text) : refuse('bigint', text)
}

function bigintText(value: bigint): string {
  return typeof value === 'bigint' ? value.toString() : refuse('bigint', value)
}

/** A 64-bit integer as `bigint`; MySQL's unsigned ones as well. */
export const bigint = (): Field<bigint> => field('bigint', toBigint, bigintText)

function toInteger(text: string): number {
  if (text.length <= FEW_DIGITS && areDigits(text)) return Number(text)
  const value = INTEGER.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : refuse('integer', text)
}

/** A 32-bit integer as `number`. */
export const integer = (): Field<number> =>
  field('integer', toInteger, (value) => (Number.isSafeInteger(value) ? String(value) : refuse('integer', value)))

function textOf(value: string): string {
  return typeof value === 'string' ? value : refuse('text', value)
}

/** A JavaScript string can hold half of a surrogate pair; no database can. */
const wellFormed: Rule<string> = (value) =>
  value.isWellFormed()
    ? null
    : { code: 'invalid_text', message: 'holds half of a surrogate pair, which no database can store' }

/** Text of any length. */
export const text = (): Field<string> => field('text', String, textOf, { rules: [wellFormed] })

/** Whether a text has more code points than these, of which each is one or two units; counted without a copy. */
function isLonger(text: string, length: number): boolean {
  if (text.length <= length || text.length > 2 * length) return text.length > length
  let count = 0
  for (const _ of text) count++
  return count > length
}

/** Text of at most `length` characters (code points, as the databases count). */
export const varchar = (length: number): Field<string> =>
  field('varchar', String, textOf, {
    length: atLeast(1, 'varchar', length),
    rules: [
      wellFormed,
      (value) =>
        isLonger(value, length) ? { code: 'too_long', message: `must have at most ${length} characters` } : null,
    ],
  })

/** An exact decimal of `precision` digits, `scale` of them behind the point. */
export const decimal = (precision: number, scale: number): Field<Decimal> =>
  field('decimal', decimalOf, (value) => decimalOf(String(value)), {
    precision: atLeast(1, 'decimal', precision),
    scale: atLeast(0, 'decimal', scale),
    rules: [
      (value) =>
        fitsDecimal(value, precision, scale)
          ? null
          : {
              code: 'too_precise',
              message: `must have at most ${precision} digits, ${scale} of them behind the point`,
            },
    ],
  })

/** An exact decimal of any number of digits, of a column that does not say how many. */
export const anyDecimal = (): Field<Decimal> => field('decimal', decimalOf, (value) => decimalOf(String(value)))

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i
const NO_NUMBERS = new Set(['NaN', 'Infinity', '-Infinity'])
const MOST_DIGITS = 17

function toDouble(value: string): number {
  if (!NUMBER.test(value)) return NO_NUMBERS.has(value) ? Number(value) : refuse('double', value)
  const number = Number(value)
  return value.length <= FEW_DIGITS || isExact(value, number) ? number : refuse('double', value)
}

/** Whether the double gives the digits of a text back, as it does those that a database writes of a double. */
function isExact(text: string, number: number): boolean {
  if (!Number.isFinite(number)) return false
  const digits = significantDigits(text)
  if (digits === '') return true
  if (digits.length <= MOST_DIGITS && significantDigits(number.toPrecision(digits.length)) === digits) return true
  return INTEGER_TEXT.test(text) && BigInt(text) === BigInt(number)
}

const INTEGER_TEXT = /^-?\d+$/

function significantDigits(text: string): string {
  return text
    .replace(/e.*$/i, '')
    .replace(/[^\d]/g, '')
    .replace(/^0+|0+$/g, '')
}

/** A double; NaN and the infinities where the database has them. */
export const double = (): Field<number> =>
  field('double', toDouble, (value) =>
    typeof value === 'number' ? (Object.is(value, -0) ? '-0' : String(value)) : refuse('double', value),
  )

const BOOLEANS = new Map([
  ['t', true],
  ['true', true],
  ['1', true],
  ['f', false],
  ['false', false],
  ['0', false],
  ['\\x01', true],
  ['\\x00', false],
])

/** A boolean: BOOLEAN, or TINYINT(1) with 0 and 1 only, or BIT(1), which MySQL gives as a byte. */
export const boolean = (): Field<boolean> =>
  field(
    'boolean',
    (value) => BOOLEANS.get(value) ?? refuse('boolean', value),
    (value) => (typeof value === 'boolean' ? (value ? '1' : '0') : refuse('boolean', value)),
  )

/** A calendar date, `YYYY-MM-DD`, as text. */
export const date = (): Field<DateText> => field('date', dateOf, (value) => dateOf(value))

/** A point in time, as text in UTC exact to the microsecond. A column without a zone is taken as UTC. */
export const timestamp = (): Field<Timestamp> => field('timestamp', timestampOf, (value) => timestampOf(value))

/** A JSON document as text, untouched. */
export const json = (): Field<JsonText> => field('json', (value) => value as JsonText, textOf, { rules: [wellFormed] })

/** A UUID in the form the database prints. */
export const uuid = (): Field<string> => field('uuid', String, textOf, { rules: [wellFormed] })

const HEXADECIMAL = /^\\x(?:[0-9a-f]{2})*$/i

/** Bytes; at most `length` of them where one is given, which a key on MySQL needs. */
export const binary = (length?: number): Field<Uint8Array> =>
  field<Uint8Array>(
    'binary',
    (value) => (HEXADECIMAL.test(value) ? Buffer.from(value.slice(2), 'hex') : refuse('binary', value)),
    (value) =>
      value instanceof Uint8Array
        ? `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`
        : refuse('binary', value),
    length === undefined
      ? {}
      : {
          length: atLeast(1, 'binary', length),
          rules: [
            (value) =>
              value.byteLength > length ? { code: 'too_long', message: `must have at most ${length} bytes` } : null,
          ],
        },
  )
