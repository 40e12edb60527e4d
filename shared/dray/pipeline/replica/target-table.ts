import { tableNameOf, tableText } from '#dray/database/table-name.ts'
import type { Replica, TableOverride } from '#dray/pipeline/declare/replica.ts'
import { fittingName } from './column-names.ts'

/** The table that one becomes, in a spelling that the target can have. Throws `Configuration` for what is no name. */
export function targetOf(
  replica: Replica,
  source: string,
  override: TableOverride = replica.overrides.get(source) ?? {},
): string {
  const own = tableNameOf(source)
  const named = override.name ?? withName(replica.nameOf({ ...own, text: source }), own.name)
  const { schema, name } = tableNameOf(named)
  return tableText({ schema, name: fittingName(name) })
}

/** The dots of a name that stands at the end of another one, as in `raw.a.b`, divide nothing. */
function withName(text: string, name: string): string {
  if (!name.includes('.') || !text.endsWith(name)) return text
  const before = text.slice(0, -name.length)
  const end = before.lastIndexOf('.')
  return tableText({ schema: end === -1 ? null : before.slice(0, end), name: `${before.slice(end + 1)}${name}` })
}
