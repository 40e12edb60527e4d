import { checkIdentifier } from '../identifier.ts'
import { quotedTable } from '../table-name.ts'

const MOST_BYTES = 63

/** PostgreSQL would cut it off, and take two long names for one. */
function fault(name: string): string | null {
  return Buffer.byteLength(name) > MOST_BYTES ? `is longer than ${MOST_BYTES} bytes` : null
}

/** One part of a name as it is. Throws `Configuration` for one that cannot be a name. */
export function checkName(identifier: string): string {
  return checkIdentifier('PostgreSQL', identifier, fault)
}

/** One part of a name, quoted by doubling. Throws `Configuration` for one that cannot be a name. */
export function quote(identifier: string): string {
  return `"${checkName(identifier).replaceAll('"', '""')}"`
}

/** `table` or `schema.table`, quoted part by part. */
export function quoteTable(table: string): string {
  return quotedTable(table, quote)
}
