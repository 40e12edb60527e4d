import type { FieldType } from 'dray/internal/active-record/field-type.ts'
import type { Text } from 'dray/internal/block/block.ts'

const LONGEST = 60

/** A value in the shape of another one, and nothing of what it says. */
export function masked(text: Text, type: FieldType): Text {
  if (text === null) return null
  switch (type.kind) {
    case 'boolean':
    case 'uuid':
      return type.kind === 'boolean' ? text : '00000000-0000-4000-8000-000000000000'
    case 'date':
      return 'infinity'.startsWith(text.replace(/^-/, '')) ? text : '2026-01-31'
    case 'timestamp':
      return maskedMoment(text)
    case 'json':
      return maskedJson(text)
    case 'binary':
      return `\\x${'00'.repeat(Math.min((text.length - 2) / 2, 8))}`
    case 'bigint':
    case 'integer':
    case 'double':
    case 'decimal':
      return maskedNumber(text)
    default:
      return maskedText(text)
  }
}

/** Twelves: `19.90` becomes `12.12`, so that digits keep their places. */
function maskedNumber(text: string): string {
  if (!/^-?\d+(?:\.\d+)?$/.test(text)) return /\d/.test(text) ? '1.5' : text
  const ones = (digits: string) => digits.replace(/\d/g, (_, place: number) => (place % 2 === 0 ? '1' : '2'))
  const [whole = '', fraction] = text.split('.')
  const isShort = /^-?0$/.test(whole)
  const number = isShort ? whole : whole.replace(/\d+/, ones)
  return fraction === undefined ? number : `${number}.${ones(fraction)}`
}

function maskedMoment(text: string): string {
  if (/^-?infinity$/.test(text)) return text
  return /\.\d/.test(text) ? '2026-01-31 12:34:56.123456' : '2026-01-31 12:34:56'
}

function maskedText(text: string): string {
  const shape = text.replace(/[\p{L}\p{M}]/gu, (letter) => (/\p{Lu}/u.test(letter) ? 'X' : 'x')).replace(/\p{N}/gu, '0')
  return [...shape].slice(0, LONGEST).join('')
}

/** A name that somebody gave to a field, and no value that is used as one: a number, an address, a person. */
const FIELD_NAME = /^[a-z_$][\w$-]{0,39}$/i

/** The names of fields in a document stay, the values do not, nor names that may be values. */
function maskedJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), (_, value: unknown) => {
      if (typeof value === 'string') return maskedText(value)
      if (typeof value === 'number') return 1
      return isObject(value) ? withMaskedNames(value) : value
    })
  } catch {
    return '{}'
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function withMaskedNames(document: object): object {
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => [FIELD_NAME.test(name) ? name : maskedText(name), value]),
  )
}

/** A value of a kind, for a table that has no row yet. */
export function invented(type: FieldType): string {
  const values = { bigint: '1', integer: '1', double: '1.5', boolean: '1', date: '2026-01-31', json: '{}' } as const
  if (type.kind in values) return values[type.kind as keyof typeof values]
  if (type.kind === 'timestamp') return '2026-01-31 12:34:56'
  if (type.kind === 'uuid') return '00000000-0000-4000-8000-000000000000'
  if (type.kind === 'binary') return '\\x00'
  if (type.kind === 'decimal') return (type.precision ?? 0) > (type.scale ?? 0) ? '1' : '0'
  return 'x'
}
