import { type RawBuilder, sql } from 'kysely'
import { boundValue, columnName } from '#dray/active-record/sql.ts'
import { columnOf } from '#dray/active-record/table-definition.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import type { Loading } from '#dray/pipeline/declare/loading.ts'

/** A condition on a row of a history: its version is the current one. */
export function isCurrent(adapter: Adapter, { target, history }: Loading): RawBuilder<unknown> {
  const to = columnOf(target.definition, history?.validTo ?? '')
  const open = history?.open ?? null
  if (open === null) return sql`(${columnName(to)} is null)`
  return sql`(${columnName(to)} is null or ${columnName(to)} = ${boundValue(adapter, to, open)})`
}
