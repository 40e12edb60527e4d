import type { Text } from '#dray/block/block.ts'
import { quoteTable } from './names.ts'

type Rows = (sql: string, parameters: readonly string[]) => Promise<readonly (readonly Text[])[]>

/** A table with its partitions, or the tables that a view reads, as far as the catalogue says. */
const UNDER = `
  WITH RECURSIVE under(oid, kind) AS (
    SELECT oid, relkind FROM pg_class WHERE oid = to_regclass($1)
    UNION
    SELECT c.oid, c.relkind FROM under
    CROSS JOIN LATERAL (
      SELECT d.refobjid AS oid FROM pg_rewrite r
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
      WHERE under.kind = 'v' AND r.ev_class = under.oid
      UNION ALL
      SELECT inhrelid FROM pg_inherits WHERE inhparent = under.oid
    ) next
    JOIN pg_class c ON c.oid = next.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  )`

/** Tables whose rows are committed elsewhere, and come here later. */
const ELSEWHERE = `${UNDER}
  SELECT under.oid::regclass::text, under.kind FROM under
  WHERE under.kind IN ('f', 'm') OR EXISTS (SELECT 1 FROM pg_subscription_rel s WHERE s.srrelid = under.oid)
  ORDER BY 1 LIMIT 1`

const WHY: Readonly<Record<string, string>> = {
  f: 'is a foreign table: what is open on its server cannot be seen',
  m: 'is a materialized view: what it had not read when it was refreshed comes later',
}
const SUBSCRIBED = 'is filled by a subscription: what is on its way from the publisher cannot be seen'

/** Why rows of a table may come later than the transactions of this server show; null where nothing speaks for it. */
export async function readElsewhere(rows: Rows, table: string): Promise<string | null> {
  const [found] = await rows(ELSEWHERE, [quoteTable(table)])
  if (found === undefined) return null
  return `${found[0]} ${WHY[found[1] ?? ''] ?? SUBSCRIBED}, so only the lag protects`
}
