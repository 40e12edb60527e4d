import { TerminalError } from '../../errors.ts'

/** One part of a name, quoted by doubling. */
export function quote(identifier: string): string {
  if (identifier.includes('\0')) throw new TerminalError('A name holds NUL, which MySQL cannot quote.')
  return `\`${identifier.replaceAll('`', '``')}\``
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
