import type { Text } from '#dray/block/block.ts'
import type { MergeTarget } from '../../adapter.ts'
import { quoteTable } from '../names.ts'
import type { MergeSession } from './session.ts'

/** A unique index of the target other than the key of the merge. */
export interface OtherKey {
  /** What it compares, as SQL over the table's own columns. */
  readonly expressions: readonly string[]
  /** Which rows it holds, as SQL; null for all. */
  readonly predicate: string | null
  /**
   * Plain columns that may be NULL, by which a row can leave the index for a while. No foreign key refers to them: its
   * rows would be taken along.
   */
  readonly nullable: readonly string[]
}

const OTHER_KEYS = `
  SELECT i.indexrelid, pg_get_indexdef(i.indexrelid, k, true), pg_get_expr(i.indpred, i.indrelid), a.attname,
    a.attnotnull OR COALESCE((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
      OR EXISTS (SELECT 1 FROM pg_constraint o WHERE o.contype = 'f' AND o.confrelid = i.indrelid AND a.attnum = ANY(o.confkey))
  FROM pg_index i CROSS JOIN generate_series(1, i.indnkeyatts) k
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1] AND a.attnum > 0
  WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid
  ORDER BY i.indexrelid, k`

export async function readOtherKeys(session: MergeSession, target: MergeTarget): Promise<OtherKey[]> {
  const { rows } = await session.run(OTHER_KEYS, [quoteTable(target.table)])
  const wanted = JSON.stringify([...target.key].sort())
  return [...Map.groupBy(rows, ([index]) => index).values()]
    .filter((parts) => JSON.stringify(parts.map(([, , , column]) => column ?? '').sort()) !== wanted)
    .map((parts) => ({
      expressions: parts.map(([, expression]) => expression as string),
      predicate: parts[0]?.[2] ?? null,
      nullable: parts.filter((part) => mayPark(target, part)).map(([, , , column]) => column as string),
    }))
}

/** A column whose difference the merge sees, so that it is sure to be written again. */
function mayPark({ key, columns, ignore = [], version }: MergeTarget, part: readonly Text[]): boolean {
  const [, , , column, isKept] = part
  if (column === null || column === undefined || isKept === 't') return false
  return columns.includes(column) && !key.includes(column) && !ignore.includes(column) && column !== version
}

/**
 * Rows can be deleted and inserted again where they lose nothing and nobody notices: the merge has every column, no
 * other table refers to them, no trigger sees it.
 */
export async function mayReinsert(session: MergeSession, target: MergeTarget): Promise<boolean> {
  if (target.counter !== undefined) return false
  const { rows } = await session.run(
    `SELECT c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
       AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         AND a.attgenerated = '' AND NOT a.attname = ANY($2::text[]))
       AND NOT EXISTS (SELECT 1 FROM pg_constraint o WHERE o.contype = 'f' AND o.confrelid = c.oid)
       AND NOT EXISTS (SELECT 1 FROM pg_trigger g WHERE NOT g.tgisinternal AND (g.tgrelid = c.oid
         OR g.tgrelid IN (SELECT relid FROM pg_partition_tree(c.oid))))
     FROM pg_class c WHERE c.oid = to_regclass($1)`,
    [quoteTable(target.table), `{${target.columns.map((name) => `"${name.replace(/["\\]/g, '\\$&')}"`).join(',')}}`],
  )
  return rows[0]?.[0] === 't'
}
