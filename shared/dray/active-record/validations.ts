import isEmailModule from 'validator/lib/isEmail.js'
import type { Rule } from './fields.ts'
import type { ColumnDefinition } from './table-definition.ts'

/** One thing that is wrong with a record. `field` is empty where it is the record as a whole. */
export interface ValidationError {
  readonly field: string
  readonly code: string
  readonly message: string
}

/** The errors of the last validation of a record. */
export class Errors {
  readonly #list: ValidationError[] = []

  add(field: string, code: string, message: string): void {
    this.#list.push({ field, code, message })
  }

  clear(): void {
    this.#list.length = 0
  }

  get isEmpty(): boolean {
    return this.#list.length === 0
  }

  /** Those of one field. */
  on(field: string): readonly ValidationError[] {
    return this.#list.filter((error) => error.field === field)
  }

  toArray(): readonly ValidationError[] {
    return [...this.#list]
  }

  [Symbol.iterator](): Iterator<ValidationError> {
    return this.#list[Symbol.iterator]()
  }

  /** One sentence: `email: is not an e-mail address; name: must not be blank`. */
  toString(): string {
    return this.#list.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join('; ')
  }
}

// The package is CommonJS: Node hands out its `default`, a bundler the function or the module.
const isEmail = ('default' in isEmailModule ? isEmailModule.default : isEmailModule) as unknown as (
  value: string,
) => boolean

/** The value must be an e-mail address. */
export function email(): Rule<string> {
  return (value) =>
    value.length <= 320 && isEmail(value) ? null : { code: 'invalid_email', message: 'is not an e-mail address' }
}

/** The value must be one of these. */
export function oneOf<T>(values: readonly T[]): Rule<T> {
  const allowed = new Set(values)
  return (value) =>
    allowed.has(value) ? null : { code: 'not_allowed', message: `must be one of ${values.map(String).join(', ')}` }
}

/** The text must match; give a pattern that is linear in the length of its input. */
export function matches(pattern: RegExp): Rule<string> {
  return (value) =>
    new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).test(value)
      ? null
      : { code: 'no_match', message: `must match ${pattern}` }
}

/** What is wrong with one value, or null; undefined is a value that is not given. */
export function validateValue(column: ColumnDefinition, value: unknown): ValidationError | null {
  const { settings } = column.field
  if (value === null && settings.isGenerated && !settings.isNullable) {
    return {
      field: column.name,
      code: 'required',
      message: 'is null, and the database numbers this key where none is given: leave it out, or give a number',
    }
  }
  if (value === null || value === undefined) {
    if (settings.isNullable || settings.isOptional) return null
    return { field: column.name, code: 'required', message: 'is required' }
  }
  for (const rule of settings.rules) {
    const broken = rule(value)
    if (broken !== null) return { field: column.name, ...broken }
  }
  return null
}
