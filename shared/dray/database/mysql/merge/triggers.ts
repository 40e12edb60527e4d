import { literal } from '../bind-literals.ts'
import { tableNameOf } from '../names.ts'
import type { MergeSession } from './session.ts'

const WRITING = "event_manipulation IN ('INSERT', 'UPDATE')"
const GRANTEE = `CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')`

/**
 * Whether triggers may run when a row is written. Who lacks the privilege TRIGGER sees none, which says nothing.
 */
export async function mayRunTriggers(session: MergeSession, table: string): Promise<boolean> {
  const { schema, name } = tableNameOf(table)
  const place = schema === null ? 'DATABASE()' : literal(schema)
  const granted = (view: string, where: string) =>
    `EXISTS (SELECT 1 FROM information_schema.${view} WHERE privilege_type = 'TRIGGER' AND grantee = ${GRANTEE}${where})`
  const { rows } = await session.run(
    `SELECT EXISTS (SELECT 1 FROM information_schema.triggers WHERE event_object_schema = ${place}
       AND event_object_table = ${literal(name)} AND ${WRITING}),
       ${granted('user_privileges', '')} OR ${granted('schema_privileges', ` AND ${place} LIKE table_schema`)}
       OR ${granted('table_privileges', ` AND table_schema = ${place} AND table_name = ${literal(name)}`)}`,
  )
  const [some, isSeen] = rows[0] ?? []
  return some !== '0' || isSeen !== '1'
}
