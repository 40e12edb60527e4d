import type { RawBuilder } from 'kysely'
import type { Adapter } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'

/** A statement with its values in it, for a person to paste; Dray itself binds them. */
export function pastedSql(adapter: Adapter, statement: RawBuilder<unknown>): string {
  const { sql, parameters } = compile(adapter, statement)
  const literal = (value: unknown) => (value === null ? 'null' : `'${String(value).replaceAll("'", "''")}'`)
  return parameters.reduce<string>(
    (filled, value, place) => filled.replace(adapter.placeholder(place + 1), () => literal(value)),
    sql,
  )
}
