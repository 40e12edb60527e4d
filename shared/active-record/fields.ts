import { DataQualityError } from './errors.ts'
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

export type FieldKind =
  | 'bigint'
  | 'integer'
  | 'text'
  | 'varchar'
  | 'decimal'
  | 'double'
  | 'boolean'
  | 'date'
  | 'timestamp'
  | 'json'
  | 'uuid'
  | 'binary'

/** Says what is wrong with a value (a code and a sentence), or null when it is right. Never called with null. */
export type Rule<T> = (value: T) => { readonly code: string; readonly message: string } | null

interface Settings<T> {
  readonly kind: FieldKind
  readonly column: string | null
  readonly isNullable: boolean
  readonly isPrimaryKey: boolean
  /** The database gives the value when none is given: an identity, a DEFAULT. */
  readonly isOptional: boolean
  readonly isGenerated: boolean
  readonly isDefaulted: boolean
  readonly isTouched: boolean
  readonly isLockVersion: boolean
  readonly length: number | null
  readonly precision: number | null
  readonly scale: number | null
  readonly rules: readonly Rule<T>[]
  /** From the database's text. Throws `DataQuality`. */
  readonly cast: (text: string) => T
  /** To the text that every database reads (an instant: in UTC, without an offset). Throws `DataQuality`. */
  readonly toText: (value: T) => string
}

declare const types: unique symbol

/** What the compiler knows of a field besides its value's type. */
export interface Traits {
  /** May be null. */
  readonly nullable: boolean
  /** May be left out when a record is made. */
  readonly optional: boolean
  readonly primaryKey: boolean
}
type Plain = { nullable: false; optional: false; primaryKey: false }
type Nullable<X extends Traits> = { nullable: true; optional: true; primaryKey: X['primaryKey'] }
type Optional<X extends Traits> = { nullable: X['nullable']; optional: true; primaryKey: X['primaryKey'] }
type Key<X extends Traits> = { nullable: X['nullable']; optional: X['optional']; primaryKey: true }

/** One column of a model: its type, and what must hold of it. Immutable; each method returns a new field. */
export class Field<T, X extends Traits = Plain> {
  declare readonly [types]: { readonly value: T; readonly traits: X }
  readonly settings: Settings<T>

  constructor(settings: Settings<T>) {
    this.settings = settings
  }

  #with<Y extends Traits>(change: Partial<Settings<T>>): Field<T, Y> {
    return new Field<T, Y>({ ...this.settings, ...change })
  }

  /** The value may be NULL, and may be left out. */
  nullable(): Field<T, Nullable<X>> {
    return this.#with({ isNullable: true })
  }

  /** Part of the primary key; several fields make a composite key, in the order of their declaration. */
  primaryKey(): Field<T, Key<X>> {
    return this.#with({ isPrimaryKey: true })
  }

  /** The column's name where it is not the property's name in snake_case. */
  column(name: string): Field<T, X> {
    return this.#with({ column: name })
  }

  /** The database has a DEFAULT for it: it may be left out. */
  defaulted(): Field<T, Optional<X>> {
    return this.#with({ isOptional: true, isDefaulted: true })
  }

  /** The database numbers it (identity, AUTO_INCREMENT): it may be left out. */
  generated(): Field<T, Optional<X>> {
    return this.#with({ isOptional: true, isGenerated: true })
  }

  /** Set at each write when not given; a difference in it alone does not make a row changed. For time stamps of a load. */
  touch(): Field<T, Optional<X>> {
    return this.#with({ isTouched: true, isOptional: true })
  }

  /** Counts the updates of a row (an integer): a save of a stale record fails with `StaleRecord`. */
  lockVersion(): Field<T, Optional<X>> {
    return this.#with({ isLockVersion: true, isOptional: true })
  }

  /** Adds a rule; every write, bulk or single, keeps it. */
  rule(rule: Rule<T>): Field<T, X> {
    return this.#with({ rules: [...this.settings.rules, rule] })
  }

  /** Text with at least one character that is not white space. */
  notBlank(): Field<T, X> {
    return this.rule((value) =>
      typeof value === 'string' && !/\S/.test(value) ? { code: 'blank', message: 'must not be blank' } : null,
    )
  }
}

// biome-ignore lint/suspicious/noExplicitAny: any field, whatever its value; the model's types keep each one's own.
export type AnyField = Field<any, Traits>
export type Fields = Readonly<Record<string, AnyField>>

type TraitsOf<F> = F extends AnyField ? F[typeof types]['traits'] : never
/** The type of a field's value, with null where it may be NULL. */
export type ValueOf<F> = F extends AnyField
  ? TraitsOf<F>['nullable'] extends true
    ? F[typeof types]['value'] | null
    : F[typeof types]['value']
  : never

type RequiredNames<F extends Fields> = {
  [K in keyof F]: TraitsOf<F[K]>['optional'] extends true ? never : K
}[keyof F]
type KeyNames<F extends Fields> = { [K in keyof F]: TraitsOf<F[K]>['primaryKey'] extends true ? K : never }[keyof F]
type IsUnion<T, U = T> = T extends unknown ? ([U] extends [T] ? false : true) : never

/** What has to be given to make a record: every field but those that are nullable, defaulted or generated. */
export type Attributes<F extends Fields> = { [K in RequiredNames<F>]: ValueOf<F[K]> } & {
  [K in Exclude<keyof F, RequiredNames<F>>]?: ValueOf<F[K]>
}

/** The values of a record, by property. */
export type Row<F extends Fields> = { [K in keyof F]: ValueOf<F[K]> }

/** A primary key: the value, or for a composite key an object of its values. */
export type KeyOf<F extends Fields> =
  IsUnion<KeyNames<F>> extends true ? { [K in KeyNames<F>]: ValueOf<F[K]> } : ValueOf<F[KeyNames<F>]>

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

/** Text of at most `length` characters (code points, as the databases count). */
export const varchar = (length: number): Field<string> =>
  field('varchar', String, textOf, {
    length,
    rules: [
      wellFormed,
      (value) =>
        value.length > length && [...value].length > length
          ? { code: 'too_long', message: `must have at most ${length} characters` }
          : null,
    ],
  })

/** An exact decimal of `precision` digits, `scale` of them behind the point. */
export const decimal = (precision: number, scale: number): Field<Decimal> =>
  field('decimal', decimalOf, (value) => decimalOf(String(value)), {
    precision,
    scale,
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

function toDouble(value: string): number {
  const number = Number(value)
  return Number.isNaN(number) && value !== 'NaN' ? refuse('double', value) : number
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

/** Bytes. */
export const binary = (): Field<Uint8Array> =>
  field<Uint8Array>(
    'binary',
    (value) => (HEXADECIMAL.test(value) ? Buffer.from(value.slice(2), 'hex') : refuse('binary', value)),
    (value) => `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`,
  )
