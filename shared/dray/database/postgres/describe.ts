import type { Text } from '#dray/block/block.ts'
import type { Bound, LiveColumn, LiveTable } from '../adapter.ts'
import { queryColumn, withoutRows } from '../query-columns.ts'
import { quoteTable } from './names.ts'
import type { Reply } from './session.ts'

type Rows = (sql: string, parameters: readonly string[]) => Promise<readonly (readonly Text[])[]>

/** The type that a type is made of, through domains of domains. */
const heldType = (type: string, modifier: string) => `(
    WITH RECURSIVE base (oid, modifier, depth) AS (
      SELECT ${type}, ${modifier}, 0
      UNION ALL
      SELECT d.typbasetype, d.typtypmod, depth + 1 FROM base JOIN pg_type d ON d.oid = base.oid AND d.typtype = 'd'
    )
    SELECT format_type(base.oid, base.modifier) AS type FROM base ORDER BY depth DESC LIMIT 1
  )`

const COLUMNS = `
  SELECT a.attname, held.type, a.attnotnull OR t.typnotnull,
         a.atthasdef OR a.attidentity <> '' OR COALESCE(t.typdefault, '') <> '', a.attgenerated <> '',
         a.attidentity <> ''
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  CROSS JOIN LATERAL ${heldType('a.atttypid', 'a.atttypmod')} held
  WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY a.attnum`

const TYPES = `
  SELECT held.type FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS given (type, modifier, place)
  CROSS JOIN LATERAL ${heldType('given.type', 'given.modifier')} held ORDER BY given.place`

/** Unique over whole columns of every row, at once: neither partial, nor over expressions, nor deferred. */
const KEYS = `
  SELECT i.indexrelid::text, i.indisprimary, a.attname
  FROM pg_index i
  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
  ORDER BY i.indisprimary DESC, i.indexrelid, k.place`

/** The live table as the search path finds it, or null. */
export async function describeTable(rows: Rows, table: string): Promise<LiveTable | null> {
  const name = quoteTable(table)
  const columns = await rows(COLUMNS, [name])
  if (columns.length === 0) {
    const exists = await rows('SELECT 1 WHERE to_regclass($1) IS NOT NULL', [name])
    if (exists.length === 0) return null
  }
  const { primaryKey, uniqueKeys } = await describeKeys(rows, table)
  return {
    columns: columns.map(([column, type, notNull, hasDefault, isComputed, isNumbered]) => ({
      name: column as string,
      type: type as string,
      nullable: notNull === 'f',
      hasDefault: hasDefault === 't',
      isComputed: isComputed === 't',
      ...(isNumbered === 't' ? { isNumbered: true } : {}),
    })),
    primaryKey,
    uniqueKeys,
  }
}

/** The primary key and the other unique keys of a table. */
export async function describeKeys(
  rows: Rows,
  table: string,
): Promise<{ primaryKey: readonly string[]; uniqueKeys: readonly (readonly string[])[] }> {
  const primaryKey: string[] = []
  const unique = new Map<string, string[]>()
  for (const [index, isPrimary, column] of await rows(KEYS, [quoteTable(table)])) {
    if (isPrimary === 't') primaryKey.push(column as string)
    else unique.set(index as string, [...(unique.get(index as string) ?? []), column as string])
  }
  return { primaryKey, uniqueKeys: [...unique.values()] }
}

/** The columns of a query, which is planned and not run. */
export async function describeQuery(
  run: (sql: string, parameters: readonly Bound[]) => Promise<Reply>,
  sql: string,
  parameters: readonly Bound[],
): Promise<readonly LiveColumn[]> {
  const { fields } = await run(withoutRows(sql), parameters)
  const lists = [fields.map((field) => field.dataTypeID), fields.map((field) => field.dataTypeModifier)]
  const { rows } = await run(
    TYPES,
    lists.map((list) => `{${list.join(',')}}`),
  )
  return fields.map(({ name }, place) => queryColumn(name, rows[place]?.[0] ?? ''))
}
