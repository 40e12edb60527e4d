import { ConfigurationError } from '#dray/errors.ts'

/** A table in the parts of its name. */
export interface TableName {
  /** Null for the schema that the connection is in. */
  readonly schema: string | null
  readonly name: string
}

const PART = '("(?:[^"]|"")+"|[^".][^.]*)'
const TABLE = new RegExp(`^(?:${PART}\\.)?${PART}$`, 's')

/**
 * A table's name as models and commands write it: `table` or `schema.table`. A part that has a dot, or begins with a
 * quote, stands in double quotes, as in SQL: `"t.2"`, `public."t.2"`. Throws `Configuration` for any other.
 */
export function tableNameOf(text: string): TableName {
  const [whole, schema, name = ''] = TABLE.exec(text) ?? []
  if (whole !== undefined) return { schema: schema === undefined ? null : unquoted(schema), name: unquoted(name) }
  throw new ConfigurationError(
    `${JSON.stringify(text)} is no name of a table, so nothing was done; write table or schema.table, and a part that has a dot in double quotes, as in '"t.2"' or 'public."t.2"'`,
  )
}

/** The one text of a table's name. */
export function tableText({ schema, name }: TableName): string {
  return schema === null ? quoted(name) : `${quoted(schema)}.${quoted(name)}`
}

/** The schema, where there is one, and the name. */
export function tableParts(text: string): readonly string[] {
  const { schema, name } = tableNameOf(text)
  return schema === null ? [name] : [schema, name]
}

function unquoted(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part
}

function quoted(part: string): string {
  return part.includes('.') || part.startsWith('"') ? `"${part.replaceAll('"', '""')}"` : part
}

/** `table` or `schema.table` in SQL, quoted part by part. */
export function quotedTable(table: string, quote: (part: string) => string): string {
  return tableParts(table).map(quote).join('.')
}
