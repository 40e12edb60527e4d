import { areFitting, type Fits, fitsDecimal, fitsFraction, isNull } from '#dray/database/merge/fitting-rows.ts'
import type { MergeTarget } from '../../adapter.ts'
import type { MysqlColumn, MysqlTable } from '../describe.ts'
import type { MergeSession } from './session.ts'

const INTEGERS = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint'])
/** LOAD DATA warns of whatever it would change in them. */
const WARNED = new Set(['varchar', 'tinytext', 'text', 'mediumtext', 'longtext', 'date'])

const anything: Fits = () => true

const PLUS = 43
const MINUS = 45
/** Behind the date's own dashes. */
const OFFSET_FROM = '0000-00-00'.length

/** A moment with no more digits, and without an offset, which MySQL would apply in silence. */
function fitsMoment(digits: number): Fits {
  const fits = fitsFraction(digits)
  return (bytes, from, to) => {
    for (let at = from; at < to; at++) {
      if (bytes[at] === PLUS || (bytes[at] === MINUS && at - from >= OFFSET_FROM)) return false
    }
    return fits(bytes, from, to)
  }
}

/** What LOAD DATA would change in silence; null for types that are staged first. */
function fitsOf({ kind, type, nullable, fraction }: MysqlColumn): Fits | null {
  const fits = INTEGERS.has(kind)
    ? fitsDecimal(-1)
    : kind === 'decimal'
      ? fitsDecimal(Number(/,(\d+)\)/.exec(type)?.[1] ?? 0))
      : kind === 'datetime' || kind === 'timestamp'
        ? fitsMoment(fraction ?? 0)
        : WARNED.has(kind)
          ? anything
          : null
  if (fits === null) return null
  // A generated number or the time of day takes the place of a NULL that is not allowed.
  return (line, from, to) => (isNull(line, from, to) ? nullable : fits(line, from, to))
}

/**
 * Makes the function that says of whole rows that LOAD DATA changes no value of theirs without a warning. Null where a
 * column's type or the server does not allow to say so.
 */
export function fittingRows(
  { facts }: MergeSession,
  { columns }: MergeTarget,
  live: MysqlTable,
): ((bytes: Buffer) => boolean) | null {
  if (!facts.localInfile) return null
  const fits = columns
    .map((name) => live.columns.find((column) => column.name === name))
    .map((column) => (column ? fitsOf(column) : null))
  return fits.includes(null) ? null : (bytes) => areFitting(bytes, fits as Fits[], fits.length)
}
