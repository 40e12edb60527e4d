import { type RawBuilder, sql } from 'kysely'
import { columnName } from '#dray/active-record/sql.ts'
import { columnOf } from '#dray/active-record/table-definition.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'

/** Makes the question whether a source row says by its flag that it is deleted. */
export function isFlagged({ extract, deletes }: Pipeline): ((adapter: Adapter) => RawBuilder<unknown>) | null {
  if (deletes.flag === null) return null
  const flag = columnOf(extract.source.definition, deletes.flag)
  const { kind } = flag.field.settings
  if (kind === 'timestamp' || kind === 'date') return ({ isNull }) => sql`not (${isNull(columnName(flag))})`
  return ({ booleansAreNumbers }) =>
    kind === 'boolean' && !booleansAreNumbers ? columnName(flag) : sql`${columnName(flag)} <> 0`
}
