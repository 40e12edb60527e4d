import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'

const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/

/** A decimal without zeros that say nothing: `+01.50` is `1.5`, `-0` is `0`. Other text comes back as it is. */
function canonicalNumber(text: string): string {
  const parts = NUMBER.exec(text)
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = parts ?? []
  if (parts === null || whole + fraction === '') return text
  const shift = Number(exponent)
  const digits = whole + fraction
  const point = whole.length + shift
  const before = point <= 0 ? '' : digits.slice(0, point).padEnd(point, '0')
  const behind = point <= 0 ? digits.padStart(digits.length - point, '0') : digits.slice(point)
  const integer = before.replace(/^0+/, '') || '0'
  const rest = trimEndZeros(behind)
  const value = rest === '' ? integer : `${integer}.${rest}`
  return sign === '-' && value !== '0' ? `-${value}` : value
}

function trimEndZeros(digits: string): string {
  let end = digits.length
  while (end > 0 && digits.charCodeAt(end - 1) === 48) end -= 1
  return digits.slice(0, end)
}

type WithSource = (this: unknown, key: string, value: unknown, context?: { readonly source?: string }) => unknown
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }

/** A document without white space, keys in order, numbers exact: as engines that take JSON apart give it back. */
function canonicalJson(text: string): string {
  const exact: WithSource = (_, value, context) => {
    if (typeof value === 'number') return rawJSON(canonicalNumber(context?.source ?? String(value)))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    if ((JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
  }
  return JSON.stringify(JSON.parse(text, exact as never))
}

function canonical(column: ColumnDefinition, text: string): string {
  const { kind, cast, toText } = column.field.settings
  switch (kind) {
    case 'text':
    case 'varchar':
      return text
    case 'bigint':
    case 'integer':
    case 'decimal':
      return canonicalNumber(text)
    case 'uuid':
    case 'binary':
      return text.toLowerCase()
    case 'json':
      return canonicalJson(text)
    default:
      return toText(cast(text))
  }
}

/**
 * The one text of a value, however an engine writes it: what a transform gives and what a target gives back can be
 * compared. Text that is no value of the column's kind comes back as it is.
 */
export function canonicalText(column: ColumnDefinition, text: Text): Text {
  if (text === null) return null
  try {
    return canonical(column, text)
  } catch {
    return text
  }
}

/** The texts of a key as one text, for maps. */
export function keyOf(texts: readonly Text[]): string {
  return texts.length === 1 && texts[0] !== null ? (texts[0] as string) : JSON.stringify(texts)
}
