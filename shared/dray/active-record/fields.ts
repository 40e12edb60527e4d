import type { FieldKind } from '#dray/database/field-kind.ts'

/** Says what is wrong with a value (a code and a sentence), or null when it is right. Never called with null. */
export type Rule<T> = (value: T) => { readonly code: string; readonly message: string } | null

export interface Settings<T> {
  readonly kind: FieldKind
  readonly column: string | null
  readonly isNullable: boolean
  readonly isPrimaryKey: boolean
  /** The database gives the value when none is given: an identity, a DEFAULT. */
  readonly isOptional: boolean
  readonly isGenerated: boolean
  readonly isDefaulted: boolean
  readonly isTouched: boolean
  /** Set by the database's clock, whatever is given; it is touched, too. */
  readonly isLanded: boolean
  readonly isLockVersion: boolean
  readonly length: number | null
  readonly precision: number | null
  readonly scale: number | null
  /** The column's type in the engine's own words, which a copy takes over. */
  readonly native?: string
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

  /**
   * Set at each write when not given; a difference in it alone does not make a row changed. For time stamps of a load.
   */
  touch(): Field<T, Optional<X>> {
    return this.#with({ isTouched: true, isOptional: true })
  }

  /**
   * When the row was written here: set by the database's clock in the transaction of each write that inserts or changes
   * the row, whatever is given. A difference in it alone does not make a row changed. SQL tasks read by it what has
   * landed since they ran: `landed()`.
   */
  landed(): Field<T, Optional<X>> {
    return this.#with({ isTouched: true, isLanded: true, isOptional: true })
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
/** The properties of the primary key. */
export type KeyNames<F extends Fields> = {
  [K in keyof F]: TraitsOf<F[K]>['primaryKey'] extends true ? K : never
}[keyof F]
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
