import { checkIdentifier } from '../identifier.ts'
import { quotedTable } from '../table-name.ts'

/** One part of a name as it is. Throws `Configuration` for one that cannot be a name. */
export function checkName(identifier: string): string {
  return checkIdentifier('SQLite', identifier, () => null)
}

/** One part of a name, quoted by doubling. Throws `Configuration` for one that cannot be a name. */
export function quote(identifier: string): string {
  return `"${checkName(identifier).replaceAll('"', '""')}"`
}

/** `table` or `schema.table`, quoted part by part. */
export function quoteTable(table: string): string {
  return quotedTable(table, quote)
}
