import { DataQualityError, TerminalError } from '#dray/errors.ts'
import type { Bound } from '../adapter.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL and the end-of-file sign of Windows are what it looks for.
const NEEDS_HEX = /[\\\0\x1a]/

/**
 * A value as a literal that reads the same in every sql_mode: the only character that ends a quoted string is the
 * quote, which is doubled; text with a backslash, whose meaning depends on NO_BACKSLASH_ESCAPES, is written as
 * hexadecimal. Needs a connection whose character_set_client is utf8mb4, where no byte of a longer character is a
 * quote.
 */
export function literal(value: Bound): string {
  if (value === null) return 'NULL'
  if (typeof value !== 'string') return `_binary X'${Buffer.from(value).toString('hex')}'`
  if (!value.isWellFormed()) {
    throw new DataQualityError('', '1366', 'The text holds half a surrogate pair, which UTF-8 cannot express.')
  }
  if (NEEDS_HEX.test(value)) return `_utf8mb4 X'${Buffer.from(value, 'utf8').toString('hex')}'`
  return value.includes("'") ? `_utf8mb4'${value.replaceAll("'", "''")}'` : `_utf8mb4'${value}'`
}

const IDENTIFIER = '`(?:[^`]|``)*`'
const COMMENTS = String.raw`--(?=\s|$)[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/`
const QUOTED = String.raw`'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"`
const QUOTED_WITHOUT_ESCAPES = `'(?:[^']|'')*'|"(?:[^"]|"")*"`
const TOKENS = new RegExp(`${QUOTED}|${IDENTIFIER}|${COMMENTS}|\\?`, 'g')
const TOKENS_WITHOUT_ESCAPES = new RegExp(`${QUOTED_WITHOUT_ESCAPES}|${IDENTIFIER}|${COMMENTS}|\\?`, 'g')
const COUNT_FOLLOWS = /\b(?:limit|offset)\s+$/i
const COUNT = /^\d{1,20}$/

/** The statement with a literal for each `?` that is not inside a string, a quoted name or a comment. */
export function bindLiterals(sql: string, parameters: readonly Bound[], noBackslashEscapes: boolean): string {
  if (parameters.length === 0) return sql
  let next = 0
  const bound = sql.replace(noBackslashEscapes ? TOKENS_WITHOUT_ESCAPES : TOKENS, (token, offset: number) => {
    if (token !== '?') return token
    const value = parameters[next++]
    if (value === undefined) return token
    // LIMIT takes no string, not even one of digits.
    if (
      typeof value === 'string' &&
      COUNT.test(value) &&
      COUNT_FOLLOWS.test(sql.slice(Math.max(0, offset - 16), offset))
    ) {
      return value
    }
    return literal(value)
  })
  if (next !== parameters.length) {
    throw new TerminalError(
      `The statement has ${next} placeholders, but ${parameters.length} values were given, so it was not sent. Give one value for each "?".`,
    )
  }
  return bound
}
