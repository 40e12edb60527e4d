import { sql } from 'kysely'
import type { Capabilities } from '../capabilities.ts'

/** https://www.sqlite.org/datatype3.html#determination_of_column_affinity */
const HAS_AFFINITY = /int|char|clob|text|real|floa|doub|num|dec|date|time|bool/i

/**
 * A column without an affinity, as an expression of a view is one, keeps numbers as numbers, which are before every
 * text: a key that was read as text would be behind them all.
 */
export const comparedAs: Capabilities['comparedAs'] = (column, kind, liveType) => {
  if (kind === 'binary') return { by: column, value: (text) => sql`unhex(substr(${text}, 3))`, keepsIndex: true }
  if (HAS_AFFINITY.test(liveType)) return null
  return { by: sql`cast(${column} as text) collate binary`, value: (text) => sql`${text}`, keepsIndex: false }
}
