import type { TableDefinition } from '#dray/active-record/table-definition.ts'
import type { ValidationError } from '#dray/active-record/validations.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'

/** The code of a row at which the transform threw, or for which it returned what can be no row. */
export const THREW = 'transform_failed'

/** What a value of each kind is in JavaScript, and how it is written. */
const WRITTEN: Readonly<Record<FieldKind, readonly [type: string, example: string]>> = {
  bigint: ['bigint', '7n'],
  integer: ['number', '7'],
  double: ['number', '7.5'],
  boolean: ['boolean', 'true'],
  decimal: ['string', "a text, '19.90'"],
  date: ['string', "a text, '2026-01-31'"],
  timestamp: ['string', "a text, '2026-01-31 12:00:00'"],
  json: ['string', 'JSON.stringify(…)'],
  text: ['string', 'a text'],
  varchar: ['string', 'a text'],
  uuid: ['string', 'a text'],
  binary: ['object', 'a Uint8Array'],
}

/** Why what a transform returned is no row at all; null where it may be one. */
export function noRow(returned: unknown): ValidationError | null {
  const what = returnedAs(returned)
  if (what === null) return null
  return {
    field: '',
    code: THREW,
    message: `the transform returned ${what}; it returns an object of the target's fields, null for a row that is left out, or what reject() returns`,
  }
}

function returnedAs(returned: unknown): string | null {
  if (returned === undefined) return 'nothing'
  if (typeof returned !== 'object') return `a ${typeof returned}`
  if (returned instanceof Promise) return 'a promise, and no transform is async'
  if (Array.isArray(returned)) return 'an array'
  return returned instanceof Date || returned instanceof Map ? `a ${returned.constructor.name}` : null
}

/** The values of a row that are not even of the type of their fields. */
export function misfits(returned: object, { columns }: TableDefinition): ValidationError[] {
  return columns.flatMap(({ name, field }) => {
    const value = (returned as Readonly<Record<string, unknown>>)[name]
    const { kind } = field.settings
    const [type, written] = WRITTEN[kind]
    if (value === null || value === undefined || typeof value === type) return []
    return [
      {
        field: name,
        code: THREW,
        message: `${describedAs(value)} is no ${kind}; write ${written}`,
      },
    ]
  })
}

function describedAs(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Promise) return 'a promise'
  if (typeof value === 'object') return `an object (${(value as object).constructor?.name ?? 'without a class'})`
  return typeof value === 'symbol' || typeof value === 'function' ? `a ${typeof value}` : `the ${typeof value} ${value}`
}
