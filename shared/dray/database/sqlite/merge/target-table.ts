import { TerminalError } from '#dray/errors.ts'
import type { LiveTable, MergeTarget } from '../../adapter.ts'
import { describeTable, type UniqueKey, uniqueKeys } from '../describe.ts'
import type { MergeSession } from './session.ts'

/**
 * The live table, and its unique key that rows are merged by; null where they are inserted and the columns do not cover
 * one. Throws `Terminal` where rows cannot be merged into it.
 */
export function readTargetTable(
  session: MergeSession,
  { table, columns, key, mode }: MergeTarget,
): { readonly live: LiveTable; readonly key: UniqueKey | null } {
  const where = `database ${session.place.name} (${session.place.path})`
  const rows = (sql: string, parameters: readonly string[]) => session.rows(sql, parameters)
  const live = describeTable(rows, table)
  if (live === null) {
    throw new TerminalError(
      `No table ${table} in ${where}, so nothing was written; create it or correct its name in the model`,
    )
  }
  const missing = columns.find((column) => !live.columns.some(({ name }) => name === column))
  if (missing !== undefined) {
    throw new TerminalError(
      `Table ${table} in ${where} has no column ${missing}, so nothing was written; add it or correct the model`,
    )
  }
  const wanted = JSON.stringify([...key].sort())
  const found = uniqueKeys(rows, table, live).find((unique) => JSON.stringify([...unique.columns].sort()) === wanted)
  const covered = key.length > 0 && key.every((column) => columns.includes(column))
  if (mode !== 'insert' && !covered) {
    throw new TerminalError(
      `A merge into ${table} needs its key (${key.join(', ')}) among the columns, so nothing was written`,
    )
  }
  if (mode !== 'insert' && found === undefined) {
    throw new TerminalError(
      `Table ${table} in ${where} has no unique key over (${key.join(', ')}), so rows cannot be merged by it; create a primary key or a unique index over exactly these columns`,
    )
  }
  return { live, key: covered ? (found ?? null) : null }
}
