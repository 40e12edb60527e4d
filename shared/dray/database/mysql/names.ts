import { checkIdentifier } from '../identifier.ts'

/** One part of a name, quoted by doubling. Throws `Configuration` for one that cannot be a name. */
export function quote(identifier: string): string {
  return `\`${checkIdentifier('mysql', identifier).replaceAll('`', '``')}\``
}

export interface TableName {
  readonly schema: string | null
  readonly name: string
}

/** `table` or `schema.table`. */
export function tableNameOf(table: string): TableName {
  const dot = table.indexOf('.')
  return dot < 0 ? { schema: null, name: table } : { schema: table.slice(0, dot), name: table.slice(dot + 1) }
}

export function quoteTable({ schema, name }: TableName): string {
  return schema === null ? quote(name) : `${quote(schema)}.${quote(name)}`
}
