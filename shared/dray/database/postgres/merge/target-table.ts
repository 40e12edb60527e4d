import type { Text } from '#dray/block/block.ts'
import { TerminalError } from '#dray/errors.ts'
import type { MergeTarget } from '../../adapter.ts'
import { describeKeys } from '../describe.ts'
import { quoteTable } from '../names.ts'
import type { MergeSession } from './session.ts'

/** A column that a merge writes. */
export interface TargetColumn {
  readonly name: string
  /** The name of its type where that is PostgreSQL's own, else null. */
  readonly type: string | null
  /** The type as SQL writes it, with its modifier: `numeric(12,2)`. */
  readonly fullType: string
  /** -1 where the type has none. */
  readonly modifier: number
  readonly isNotNull: boolean
  /** Text that is equal under the column's collation is the same. */
  readonly isDeterministic: boolean
}

/** What a merge has to know of its table. */
export interface TargetTable {
  readonly columns: readonly TargetColumn[]
  /** Neither a view nor a foreign table, and without rules. */
  readonly isPlain: boolean
  readonly hasRowSecurity: boolean
  /** 180004 is 18.4. */
  readonly serverVersion: number
}

const TABLE = `
  SELECT c.relkind IN ('r', 'p') AND NOT c.relhasrules, c.relrowsecurity, current_setting('server_version_num'),
    a.attname, CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname END, format_type(a.atttypid, a.atttypmod),
    a.atttypmod, a.attnotnull, COALESCE(l.collisdeterministic, true)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
  WHERE c.oid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`

export async function readTargetTable(
  rows: (sql: string, values: readonly string[]) => Promise<readonly (readonly Text[])[]>,
  { table, columns }: MergeTarget,
): Promise<TargetTable> {
  const found = await rows(TABLE, [quoteTable(table)])
  const [isPlain, hasRowSecurity, version] = found[0] ?? []
  const described = found.map(([, , , name, type, fullType, modifier, isNotNull, isDeterministic]) => ({
    name: name as string,
    type: type ?? null,
    fullType: fullType as string,
    modifier: Number(modifier),
    isNotNull: isNotNull === 't',
    isDeterministic: isDeterministic === 't',
  }))
  return {
    columns: described.filter(({ name }) => columns.includes(name)),
    isPlain: isPlain === 't',
    hasRowSecurity: hasRowSecurity === 't',
    serverVersion: Number(version ?? 0),
  }
}

/** Types whose equal values are the same, byte by byte: no two zeros, no scale, no spaces that do not count. */
const ONE_FORM = new Set('int2 int4 int8 bool date time timestamp timestamptz uuid bytea'.split(' '))

/** Whether two equal values of the column are the same, byte by byte. */
export function isEqualSame({ type, modifier, isDeterministic }: TargetColumn): boolean {
  if (type === null) return false
  if (type === 'text' || type === 'varchar') return isDeterministic
  return ONE_FORM.has(type) || (type === 'numeric' && modifier >= 0)
}

/** Throws `Terminal` when the rows or the table lack the key to merge by. */
export async function requireKey(session: MergeSession, { table, key, columns }: MergeTarget): Promise<void> {
  const missing = key.find((column) => !columns.includes(column))
  if (key.length === 0 || missing !== undefined) {
    throw new TerminalError(
      `A merge into ${table} needs its key among the columns (${missing ?? 'none given'}), so nothing was written`,
    )
  }
  const { primaryKey, uniqueKeys } = await describeKeys(
    async (sql, values) => (await session.run(sql, values)).rows,
    table,
  )
  const wanted = JSON.stringify([...key].sort())
  if ([primaryKey, ...uniqueKeys].some((unique) => JSON.stringify([...unique].sort()) === wanted)) return
  const exists = await session.run('SELECT to_regclass($1)', [quoteTable(table)])
  if (exists.rows[0]?.[0] === null) {
    throw new TerminalError(
      `Database ${session.place.name} (${session.place.address}) has no table ${table}, so nothing was written; create it or correct its name in the model`,
    )
  }
  throw new TerminalError(
    `Table ${table} of database ${session.place.name} has no unique key over (${key.join(', ')}), so rows cannot be merged by it; create a primary key or a unique index over exactly these columns`,
  )
}
