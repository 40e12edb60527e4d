import type { Text } from '#dray/block/block.ts'
import { DataQualityError } from '#dray/errors.ts'
import type { Bound } from '../adapter.ts'

/** What node:sqlite reads when integers come as bigint. */
export type Stored = null | string | bigint | number | Uint8Array

/**
 * A stored value as text. Reals are the shortest text that reads back as the same number; infinities are `Infinity` and
 * `-Infinity`. Text that is not valid UTF-8 has been given U+FFFD in its place by node:sqlite already: `valid-text.ts`
 * finds it.
 */
export function textOf(value: Stored): Text {
  if (typeof value === 'string' || value === null) return value
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`
}

export function textsOf(row: Stored[]): Text[] {
  for (let index = 0; index < row.length; index++) row[index] = textOf(row[index] as Stored)
  return row as Text[]
}

/** Refuses half of a surrogate pair, which would be stored as U+FFFD. */
export function boundOf(value: Bound): Bound {
  if (typeof value === 'string' && !value.isWellFormed()) {
    throw new DataQualityError('', '20', 'the text holds half of a surrogate pair, which UTF-8 cannot hold')
  }
  return value
}
