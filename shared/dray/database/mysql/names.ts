import { checkIdentifier } from '../identifier.ts'
import { quotedTable } from '../table-name.ts'

const MOST_CHARACTERS = 64

function fault(name: string): string | null {
  if (/[\u{10000}-\u{10ffff}]/u.test(name)) return 'holds a character beyond U+FFFF'
  if (name.endsWith(' ')) return 'ends with a space'
  return name.length > MOST_CHARACTERS ? `is longer than ${MOST_CHARACTERS} characters` : null
}

/** One part of a name as it is. Throws `Configuration` for one that cannot be a name. */
export function checkName(identifier: string): string {
  return checkIdentifier('MySQL', identifier, fault)
}

/** One part of a name, quoted by doubling. Throws `Configuration` for one that cannot be a name. */
export function quote(identifier: string): string {
  return `\`${checkName(identifier).replaceAll('`', '``')}\``
}

/** `table` or `schema.table`, quoted part by part. */
export function quoteTable(table: string): string {
  return quotedTable(table, quote)
}
