import type { ReadRows } from '../reading.ts'
import { quote } from './names.ts'

/** What depends on a column, as a sentence names it. */
const DEPENDENT = `
  CASE d.classid
    WHEN 'pg_rewrite'::regclass THEN (SELECT 'the view ' || w.ev_class::regclass FROM pg_rewrite w WHERE w.oid = d.objid)
    WHEN 'pg_attrdef'::regclass THEN (SELECT 'the generated column ' || g.attname FROM pg_attrdef x
      JOIN pg_attribute g ON g.attrelid = x.adrelid AND g.attnum = x.adnum WHERE x.oid = d.objid)
    ELSE pg_describe_object(d.classid, d.objid, 0) END`

const OF_COLUMN = `
  FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
  LEFT JOIN pg_constraint o ON d.classid = 'pg_constraint'::regclass AND o.oid = d.objid
  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass($1) AND a.attname = $2 AND d.deptype IN ('n', 'a')
    AND (f.oid IS NULL OR f.adnum <> a.attnum)`

/** What PostgreSQL would drop with a column, but for its default, its sequence and the keys that are changed anyway. */
export const DEPENDENTS = `
  SELECT DISTINCT ${DEPENDENT} ${OF_COLUMN}
    AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (SELECT 1 FROM pg_class s WHERE s.oid = d.objid AND s.relkind = 'S'))
    AND (o.oid IS NULL OR o.contype::text NOT IN ('n', $3))
  ORDER BY 1`

/** What keeps a column from being of another type. */
const TYPED = `
  SELECT DISTINCT ${DEPENDENT} ${OF_COLUMN}
    AND d.classid::regclass::text IN ('pg_rewrite', 'pg_policy', 'pg_trigger', 'pg_attrdef', 'pg_publication_rel')
  ORDER BY 1`

/** The default is cast as an assignment casts: to texts from all, else by a cast that is made for it. */
const COLUMN = `
  SELECT CASE WHEN a.attcollation <> t.typcollation THEN quote_ident(n.nspname) || '.' || quote_ident(c.collname) END,
    CASE WHEN NOT (s.typcategory = 'S' OR s.oid = t.oid OR s.oid = t.typbasetype
      OR EXISTS (SELECT 1 FROM pg_cast k WHERE k.castsource IN (t.oid, t.typbasetype) AND k.casttarget = s.oid AND k.castcontext <> 'e'))
      THEN pg_get_expr(d.adbin, d.adrelid) END,
    t.typtype = 'd' AND t.typnotnull
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_type s ON s.oid = to_regtype($3)
  LEFT JOIN pg_collation c ON c.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''
  WHERE a.attrelid = to_regclass($1) AND a.attname = $2`

/** What PostgreSQL knows of a column that gets another type. */
export interface TypedColumn {
  /** Where it is another one than its type's own. */
  readonly collation: string | null
  /** Its domain says NOT NULL, which no statement about the column takes back. */
  readonly isOfFilledDomain: boolean
  readonly refused: string | null
}

/** A column by its name, of the table that is quoted so, and what keeps it from being of the type `to`. */
export async function liveColumn(rows: ReadRows, name: string, column: string, to: string): Promise<TypedColumn> {
  const dependents = (await rows(TYPED, [name, column])).map(([text]) => text)
  const [[collation = null, unfitDefault = null, isOfFilledDomain] = []] = await rows(COLUMN, [name, column, to])
  const refused = [
    ...(dependents.length === 0
      ? []
      : [`${dependents.join(', ')} needs the former type; drop it first, and make it again`]),
    ...(unfitDefault === null
      ? []
      : [`its default ${unfitDefault} is no ${to}; alter table ${name} alter column ${quote(column)} drop default`]),
  ]
  return { collation, isOfFilledDomain: isOfFilledDomain === 't', refused: refused.join('; ') || null }
}
