import type { TableIdentity } from '../capabilities.ts'
import type { ReadRows } from '../reading.ts'
import { tableText } from '../table-name.ts'
import { quoteTable } from './names.ts'

/** A view is what it says and the tables that it reads: one that is made anew in the same words stays the same. */
const IDENTITY = `
  with recursive seen (oid) as (
    select to_regclass($1)::oid
    union
    select d.refobjid from seen s join pg_class c on c.oid = s.oid and c.relkind = 'v' join pg_rewrite w on w.ev_class = s.oid
      join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
  ), parts (text) as (
    select case when c.relkind = 'v' then md5(pg_get_viewdef(c.oid)) else c.oid::text end
    from pg_class c join seen using (oid)
  )
  select (select string_agg(text, ' ' order by text) from parts),
    (select string_agg(a.attnum || ':' || a.atttypid, ' ' order by a.attnum) from pg_attribute a
      where a.attrelid = to_regclass($1) and a.attname in (select json_array_elements_text($2::json)) and not a.attisdropped),
    exists (select 1 from pg_inherits where inhparent = to_regclass($1)),
    txid_snapshot_xmin(txid_current_snapshot())`

/** A row of `pg_inherits` bears the number of the transaction that attached a part; they are counted back from now. */
const NEW_PARTS = `
  with recursive under (oid, attached) as (
    select inhrelid, age(xmin) from pg_inherits where inhparent = to_regclass($1)
    union
    select i.inhrelid, age(i.xmin) from under join pg_inherits i on i.inhparent = under.oid
  )
  select n.nspname, c.relname from under join pg_class c using (oid) join pg_namespace n on n.oid = c.relnamespace
  where under.attached <= age(($2::bigint % 4294967296)::text::xid)
  order by 1, 2`

/** Numbers of tables and columns are never given twice. A type that changes may change what values say. */
export async function tableIdentity(rows: ReadRows, table: string, columns: readonly string[]): Promise<TableIdentity> {
  const found = await rows(IDENTITY, [quoteTable(table), JSON.stringify(columns)])
  const [[relation = null, numbers = null, hasParts = null, transaction = null] = []] = found
  return {
    ids: relation === null ? [] : [`${relation} ${numbers ?? ''}`],
    definition: null,
    partsFrom: hasParts === 't' ? transaction : null,
  }
}

export async function newParts(rows: ReadRows, table: string, partsFrom: string): Promise<readonly string[]> {
  const found = await rows(NEW_PARTS, [quoteTable(table), partsFrom])
  return found.map(([schema = null, name]) => tableText({ schema, name: name as string }))
}
