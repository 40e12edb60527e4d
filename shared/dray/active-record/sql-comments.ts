/** A text or a name in quotes. */
export const QUOTED = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`/g
const TOKENS = new RegExp(`${QUOTED.source}|--[^\\n]*|/\\*[\\s\\S]*?\\*/`, 'g')
/** A comment for every engine: no hint, no statement of one engine alone, and none within another. */
const COMMENT = /^--(?:\s|$)|^\/\*(?!!|M!|\+|[\s\S]*\/\*)/
/** Where quotes may end otherwise than in every engine. */
const OTHER_QUOTES = /\\['"`]|\$\w*\$/

/**
 * SQL with a blank for each comment. Where an engine could take the quotes in it for others, comments stay: a text that
 * only looks like a comment is never cut.
 */
export function withoutComments(sql: string): string {
  if (OTHER_QUOTES.test(sql)) return sql
  return sql.replace(TOKENS, (token) => (COMMENT.test(token) ? ' ' : token))
}
