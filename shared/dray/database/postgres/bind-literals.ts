import pg from 'pg'
import { TerminalError } from '#dray/errors.ts'
import type { Bound } from '../adapter.ts'
import { checkText } from './values.ts'

/**
 * What must be skipped when looking for `$1`: strings, names, comments, dollar quotes; linear, one alternative a start.
 */
const TOKENS =
  /[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*|\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|\$\d+|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/g

/** SQL with its values written in as literals: COPY cannot bind. */
export function bindLiterals(sql: string, parameters: readonly Bound[]): string {
  if (sql.includes('\0')) throw new TerminalError('The SQL text holds a NUL character, so it cannot be sent')
  if (parameters.length === 0) return sql
  let bound = ''
  let from = 0
  TOKENS.lastIndex = 0
  for (let match = TOKENS.exec(sql); match !== null; match = TOKENS.exec(sql)) {
    const token = match[0]
    if (token === '/*') TOKENS.lastIndex = endOfComment(sql, match.index)
    else if (/^\$\d+$/.test(token)) {
      bound += sql.slice(from, match.index) + literal(parameters, Number(token.slice(1)))
      from = match.index + token.length
    } else if (token.startsWith('$')) {
      const end = sql.indexOf(token, match.index + token.length)
      TOKENS.lastIndex = end < 0 ? sql.length : end + token.length
    }
  }
  return bound + sql.slice(from)
}

/** Comments nest in PostgreSQL. */
function endOfComment(sql: string, start: number): number {
  let depth = 0
  for (let at = start; at < sql.length; at++) {
    if (sql.startsWith('/*', at)) {
      depth += 1
      at += 1
    } else if (sql.startsWith('*/', at)) {
      depth -= 1
      at += 1
      if (depth === 0) return at + 1
    }
  }
  return sql.length
}

function literal(parameters: readonly Bound[], number: number): string {
  const value = parameters[number - 1]
  if (value === undefined) throw new TerminalError(`The SQL uses $${number}, but ${parameters.length} values are bound`)
  if (value === null) return 'NULL'
  if (typeof value !== 'string') return `'\\x${Buffer.from(value).toString('hex')}'`
  checkText(value)
  // The space keeps `E'…'` and a keyword before it apart.
  return ` ${pg.escapeLiteral(value).trimStart()}`
}
