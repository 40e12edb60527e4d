import type { RawBuilder } from 'kysely'
import { ConfigurationError } from '#dray/errors.ts'
import type { Adapter, Bound } from './adapter.ts'

/** SQL text and its bound values, as one engine takes them. */
export interface Statement {
  readonly sql: string
  readonly parameters: readonly Bound[]
}

/** Any value as the text that is bound. Throws on numbers and Dates that would not be exact. */
export function bound(value: unknown): Bound {
  if (value === null || value === undefined) return null
  if (typeof value === 'string' || value instanceof Uint8Array) return value
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (typeof value === 'number' && (Number.isSafeInteger(value) || !Number.isInteger(value))) return String(value)
  throw new ConfigurationError(
    `cannot bind ${value instanceof Date ? 'a Date' : typeof value === 'object' ? 'an object' : `a ${typeof value}`}: it would not be exact; give a bigint, or text (an instant as YYYY-MM-DD HH:MM:SS.ffffff in UTC)`,
  )
}

/** The statement in the SQL of an engine. */
export function compile(adapter: Adapter, statement: RawBuilder<unknown>): Statement {
  const { sql: text, parameters } = statement.compile(adapter.builder)
  if (parameters.length > adapter.mostParameters) {
    throw new ConfigurationError(
      `the statement has ${parameters.length} values, of which ${adapter.dialect} takes ${adapter.mostParameters} at most, so it was not sent; ask for fewer at once`,
    )
  }
  return { sql: text, parameters: parameters.map(bound) }
}
