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
  /** The same of what a domain is made of, of any other type its own. */
  readonly held: { readonly type: string | null; readonly modifier: number }
  readonly isNotNull: boolean
  /** Text that is equal under the column's collation is the same. */
  readonly isDeterministic: boolean
  readonly isText: boolean
}

/** What a merge has to know of its table. */
export interface TargetTable {
  readonly columns: readonly TargetColumn[]
  /** What else than a table it is: `view`. */
  readonly otherKind: string | null
  readonly hasRules: boolean
  readonly hasRowSecurity: boolean
  /** There are triggers that may change a row that is inserted; and one that is inserted or updated. */
  readonly changesInserted: boolean
  readonly changesWritten: boolean
  /** The list, for SQL, of constraints and triggers that would else judge rows at COMMIT. */
  readonly deferred: string | null
  /** 180004 is 18.4. */
  readonly serverVersion: number
}

/** Foreign keys and deferrable unique keys are triggers to the server, too; those of partitions are not its own. */
const TABLE = `
  SELECT c.relkind, c.relrowsecurity, current_setting('server_version_num'), c.relhasrules, c.relhastriggers OR c.relkind = 'p',
    a.attname, CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname END, format_type(a.atttypid, a.atttypmod),
    a.atttypmod, a.attnotnull, COALESCE(l.collisdeterministic, true), a.attcollation <> 0, held.type, held.modifier
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
    CROSS JOIN LATERAL (
      WITH RECURSIVE base (oid, modifier, depth) AS (
        SELECT a.atttypid, a.atttypmod, 0
        UNION ALL
        SELECT d.typbasetype, CASE WHEN d.typtypmod >= 0 THEN d.typtypmod ELSE modifier END, depth + 1
        FROM base JOIN pg_type d ON d.oid = base.oid AND d.typtype = 'd'
      )
      SELECT CASE WHEN b.typnamespace = 'pg_catalog'::regnamespace THEN b.typname END AS type, base.modifier
      FROM base JOIN pg_type b ON b.oid = base.oid ORDER BY depth DESC LIMIT 1
    ) held
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
  WHERE c.oid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`

const RULES = `
  SELECT 1 FROM pg_rewrite WHERE ev_class = to_regclass($1) AND ev_type <> '1' AND ev_enabled <> 'D'`

/** A trigger may write into any other table: then the deferred constraints of all tables count. */
const DEFERRED = `
  WITH g AS MATERIALIZED (
    SELECT tgconstraint, tgisinternal FROM pg_trigger WHERE tgrelid = to_regclass($1)
      OR tgrelid IN (SELECT relid FROM pg_partition_tree(to_regclass($1))))
  SELECT string_agg(DISTINCT format('%I.%I', n.nspname, o.conname), ', ')
  FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace
  WHERE o.condeferred AND (o.oid IN (SELECT tgconstraint FROM g) OR EXISTS (SELECT 1 FROM g WHERE NOT tgisinternal))`

/** By `tgtype`: 4 for INSERT, 16 for UPDATE. */
const CHANGING = `
  SELECT COALESCE(bool_or(tgtype & 4 <> 0), false), COALESCE(bool_or(tgtype & 20 <> 0), false) FROM pg_trigger
  WHERE NOT tgisinternal AND tgenabled <> 'D'
    AND (tgrelid = to_regclass($1) OR tgrelid IN (SELECT relid FROM pg_partition_tree(to_regclass($1))))`

/** Relations that are no tables, by their `relkind`. */
const OTHER_KINDS: Readonly<Record<string, string>> = {
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
}

export async function readTargetTable(
  rows: (sql: string, values: readonly string[]) => Promise<readonly (readonly Text[])[]>,
  { table, columns }: MergeTarget,
): Promise<TargetTable> {
  const found = await rows(TABLE, [quoteTable(table)])
  const [kind, hasRowSecurity, version, mayHaveRules, hasTriggers] = found[0] ?? []
  const hasRules = mayHaveRules === 't' && (await rows(RULES, [quoteTable(table)])).length > 0
  const [[deferred = null] = []] = hasTriggers === 't' ? await rows(DEFERRED, [quoteTable(table)]) : []
  const [[inserted, written] = []] = hasTriggers === 't' ? await rows(CHANGING, [quoteTable(table)]) : []
  const described = found.map((row) => {
    const [name, type, fullType, modifier, isNotNull, isDeterministic, isText, heldType, heldModifier] = row.slice(5)
    return {
      name: name as string,
      type: type ?? null,
      fullType: fullType as string,
      modifier: Number(modifier),
      held: { type: heldType ?? null, modifier: Number(heldModifier) },
      isNotNull: isNotNull === 't',
      isDeterministic: isDeterministic === 't',
      isText: isText === 't',
    }
  })
  return {
    columns: described.filter(({ name }) => columns.includes(name)),
    otherKind: OTHER_KINDS[kind ?? ''] ?? null,
    hasRules,
    hasRowSecurity: hasRowSecurity === 't',
    changesInserted: inserted === 't',
    changesWritten: written === 't',
    deferred,
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

/** Whether equal values of the column may be stored as different texts: `citext`, a collation that ignores case. */
export function isSpelledFreely(column: TargetColumn): boolean {
  const { type, isText, modifier, isDeterministic } = column
  // A char(n) is filled up to its width, so that equal ones are stored alike.
  const isFilled = type === 'bpchar' && modifier >= 0 && isDeterministic
  return isText && type !== 'name' && !isFilled && !isEqualSame(column)
}

/** Throws `Terminal` where no statement says how many rows it wrote. */
export function refuseRules(session: MergeSession, { table }: MergeTarget, { hasRules }: TargetTable): void {
  if (!hasRules) return
  throw new TerminalError(
    `${table} of database ${session.place.name} has rules (CREATE RULE), under which no statement says what became of its rows, so nothing was written; do what they do by triggers, or load into another table`,
  )
}

/** Throws `Terminal` when the rows or the table lack the key to merge by. */
export async function requireKey(
  session: MergeSession,
  { table, key, columns }: MergeTarget,
  { otherKind }: TargetTable,
): Promise<void> {
  const missing = key.find((column) => !columns.includes(column))
  if (key.length === 0 || missing !== undefined) {
    throw new TerminalError(
      `A merge into ${table} needs its key among the columns (${missing ?? 'none given'}), so nothing was written`,
    )
  }
  if (otherKind !== null) {
    throw new TerminalError(
      `${table} of database ${session.place.name} is a ${otherKind}, which has no unique key to merge rows by, so nothing was written; name the table behind it in the model`,
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
