import { sql } from 'kysely'
import type { Capabilities } from '../capabilities.ts'
import { isImpossibleMoment } from './impossible-moments.ts'

const BYTES = /^\\x[0-9a-f]+$/i

/**
 * ENUM and SET are ordered by their numbers and compared as texts; a DECIMAL is compared with a text as a DOUBLE, and
 * a FLOAT is not what its text says. Bytes are read in hexadecimal, those of a BIT are a number. A moment is compared
 * with an impossible one by the number that it is: 20210230.
 * https://dev.mysql.com/doc/refman/8.0/en/enum.html#enum-sorting
 * https://dev.mysql.com/doc/refman/8.0/en/type-conversion.html
 */
export const comparedAs: Capabilities['comparedAs'] = (column, kind, liveType) => {
  if (/^(enum|set)\b/i.test(liveType)) {
    const by = sql`cast(convert(${column} using utf8mb4) as binary)`
    return { by, value: (text) => sql`cast(${text} as binary)`, keepsIndex: false }
  }
  if (/^float/i.test(liveType)) {
    return { by: sql`(${column} * 1e0)`, value: (text) => sql`(${text} + 0e0)`, keepsIndex: false }
  }
  const decimal = /^(?:decimal|numeric)\((\d+)(?:,(\d+))?\)/i.exec(liveType)
  if (decimal !== null) {
    const type = sql.raw(`decimal(${decimal[1]}, ${decimal[2] ?? '0'})`)
    return { by: column, value: (text) => sql`cast(${text} as ${type})`, keepsIndex: true }
  }
  if (/^(binary|varbinary|(tiny|medium|long)?blob)/i.test(liveType)) {
    return { by: column, value: (text) => sql`unhex(substr(${text}, 3))`, keepsIndex: true }
  }
  if (kind === 'binary' && /^bit/i.test(liveType)) {
    const number = (text: string) => (BYTES.test(text) ? sql.raw(String(BigInt(`0x${text.slice(2)}`))) : sql`${text}`)
    return { by: column, value: number, keepsIndex: true }
  }
  if (/^(date|timestamp)/i.test(liveType)) {
    const impossible = (text: string) =>
      isImpossibleMoment(text) ? { by: sql`(${column} + 0)`, value: sql.raw(text.replace(/[-: ]/g, '')) } : null
    // MySQL writes a table for a subquery, in which it makes a zero date of any impossible one.
    return {
      by: column,
      value: (text) => sql`${text}`,
      keepsIndex: true,
      impossible,
      text: sql`cast(${column} as char)`,
    }
  }
  return null
}
