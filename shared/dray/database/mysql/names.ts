import { checkIdentifier } from '../identifier.ts'

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
  const { schema, name } = tableNameOf(table)
  return schema === null ? quote(name) : `${quote(schema)}.${quote(name)}`
}

export interface TableName {
  readonly schema: string | null
  readonly name: string
}

/** `table` or `schema.table` in its parts, as information_schema is asked for them. */
export function tableNameOf(table: string): TableName {
  const dot = table.indexOf('.')
  return dot < 0 ? { schema: null, name: table } : { schema: table.slice(0, dot), name: table.slice(dot + 1) }
}
