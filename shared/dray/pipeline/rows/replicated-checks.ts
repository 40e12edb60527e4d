import type { Check } from '#dray/pipeline/declare/checks.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'

/** What checks have to know of a table. */
interface CheckedCopy {
  readonly source: string
  readonly columns: readonly { readonly name: string; readonly source: { readonly column: string } }[]
  readonly masked: readonly { readonly name: string; readonly column: string }[]
  readonly cursor: string | null
  readonly isXid: boolean
}

/**
 * The checks of a table of a replica, by the properties of its columns. One of a column that its copy does not have is
 * left out: `uncheckedColumns` has these.
 */
export function checksOf(replica: Replica, table: CheckedCopy): readonly Check[] {
  const byColumn = propertiesOf(table)
  return declaredOf(replica, table).flatMap((check) => {
    if (!('fields' in check.expects)) return [check]
    const fields = check.expects.fields.flatMap((column) => byColumn.get(column) ?? [])
    if (fields.length < check.expects.fields.length) return []
    return [{ ...check, expects: { ...check.expects, fields } }]
  })
}

/** Columns that checks of a table name and its copy does not have. */
export function uncheckedColumns(replica: Replica, table: CheckedCopy): readonly string[] {
  const byColumn = propertiesOf(table)
  return columnsOf(replica.overrides.get(table.source)?.checks ?? []).filter((column) => !byColumn.has(column))
}

export function columnsOf(checks: readonly Check[]): readonly string[] {
  return [...new Set(checks.flatMap(({ expects }) => ('fields' in expects ? expects.fields : [])))]
}

/** One of the table stands in place of the replica's of the same name. */
function declaredOf({ checks, overrides }: Replica, { source, cursor, isXid }: CheckedCopy): readonly Check[] {
  const own = overrides.get(source)?.checks ?? []
  const isStamped = cursor !== null && !isXid
  const others = checks.filter(
    ({ name, expects }) => !own.some((one) => one.name === name) && (isStamped || expects.kind !== 'freshness'),
  )
  return [...others, ...own]
}

function propertiesOf({ columns, masked }: CheckedCopy): ReadonlyMap<string, string> {
  return new Map([
    ...masked.map(({ name, column }) => [column, name] as const),
    ...columns.map(({ name, source }) => [source.column, name] as const),
  ])
}
