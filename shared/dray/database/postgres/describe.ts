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
  SELECT a.attname::text AS name, held.type, a.attnotnull OR t.typnotnull,
         a.atthasdef OR a.attidentity <> '' OR COALESCE(t.typdefault, '') <> '', a.attgenerated <> '',
         a.attidentity <> '', row_number() OVER (ORDER BY a.attnum) AS place
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  CROSS JOIN LATERAL ${heldType('a.atttypid', 'a.atttypmod')} held
  WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`

const TYPES = `
  SELECT held.type FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS given (type, modifier, place)
  CROSS JOIN LATERAL ${heldType('given.type', 'given.modifier')} held ORDER BY given.place`

/** Unique over whole columns of every row, at once: neither partial, nor over expressions, nor deferred. */
const KEYS = `
  SELECT a.attname::text AS name, i.indexrelid::text, i.indisprimary,
         row_number() OVER (ORDER BY i.indisprimary DESC, i.indexrelid, k.place) AS place
  FROM pg_index i
  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts`

/** Both in one round trip: columns have a type, keys have an index. */
const TABLE = `
  SELECT * FROM (
    SELECT 'column', found.* FROM (${COLUMNS}) found
    UNION ALL
    SELECT 'key', name, indexrelid, indisprimary, NULL, NULL, NULL, place FROM (${KEYS}) found
  ) parts (part, name, said, first, second, third, fourth, place)
  ORDER BY part, place`

/** The live table as the search path finds it, or null. */
export async function describeTable(rows: Rows, table: string): Promise<LiveTable | null> {
  const name = quoteTable(table)
  const parts = await rows(TABLE, [name])
  if (parts.length === 0) {
    const exists = await rows('SELECT 1 WHERE to_regclass($1) IS NOT NULL', [name])
    if (exists.length === 0) return null
  }
  const columns = parts.filter(([part]) => part === 'column')
  return {
    columns: columns.map(([, column, type, notNull, hasDefault, isComputed, isNumbered]) => ({
      name: column as string,
      type: type as string,
      nullable: notNull === 'f',
      hasDefault: hasDefault === 't',
      isComputed: isComputed === 't',
      ...(isNumbered === 't' ? { isNumbered: true } : {}),
    })),
    ...keysOf(
      parts.flatMap(([part, column, index, isPrimary]) => (part === 'key' ? [[column, index, isPrimary]] : [])),
    ),
  }
}

interface Keys {
  readonly primaryKey: readonly string[]
  readonly uniqueKeys: readonly (readonly string[])[]
}

/** The primary key and the other unique keys of a table. */
export async function describeKeys(rows: Rows, table: string): Promise<Keys> {
  return keysOf(await rows(`${KEYS} ORDER BY place`, [quoteTable(table)]))
}

function keysOf(rows: readonly (readonly (Text | undefined)[])[]): Keys {
  const primaryKey: string[] = []
  const unique = new Map<string, string[]>()
  for (const [column, index, isPrimary] of rows) {
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
