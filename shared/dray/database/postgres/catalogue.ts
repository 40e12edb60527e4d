import { type CatalogueCapabilities, columnDetails } from '../catalogue.ts'
import { tableText } from '../table-name.ts'
import { quoteTable } from './names.ts'

const LIST = `
  select case when pg_table_is_visible(c.oid) then null else n.nspname end, c.relname, c.relkind in ('v', 'm'), c.reltuples::bigint,
    case when c.relkind = 'r' then pg_relation_size(c.oid) else c.relpages::bigint * current_setting('block_size')::bigint end
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'f', 'v', 'm') and not c.relispartition
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and has_table_privilege(c.oid, 'select')
    and not exists (select 1 from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
  order by 1 nulls first, 2`

/** Those that `LIST` leaves out for want of a privilege on the whole table. */
const REFUSED = `
  select case when pg_table_is_visible(c.oid) then null else n.nspname end, c.relname
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'f') and not c.relispartition
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and not has_table_privilege(c.oid, 'select')
    and not exists (select 1 from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
  order by 1 nulls first, 2`

const TABLE = `
  select obj_description(oid, 'pg_class'), relkind in ('v', 'm'),
    relkind <> 'p' and exists (select 1 from pg_inherits where inhparent = pg_class.oid)
  from pg_class where oid = to_regclass($1)`

const COLUMNS = `
  select a.attname, col_description(a.attrelid, a.attnum),
    a.attidentity <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false),
    exists (select 1 from pg_constraint k where k.conrelid = a.attrelid and k.contype = 'f' and a.attnum = any (k.conkey)), false
  from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped`

/** A partial index has not all rows, and a hash finds no range. */
const INDEXED = `
  select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
  where i.indrelid = to_regclass($1) and i.indisvalid and i.indpred is null and m.amname in ('btree', 'brin')`

export const catalogue: CatalogueCapabilities = {
  async list(query) {
    const rows = await query(LIST)
    return rows.map(([schema = null, name, isView, count, bytes]) => ({
      table: tableText({ schema, name: name as string }),
      isView: isView === 't',
      // A table that was never analysed has -1.
      rows: isView === 't' || Number(count) < 0 ? null : Number(count),
      bytes: isView === 't' ? null : Number(bytes),
    }))
  },

  async refused(query) {
    const rows = await query(REFUSED)
    return rows.map(([schema = null, name]) => tableText({ schema, name: name as string }))
  },

  async details(query, table) {
    const name = quoteTable(table)
    const [[comment = null, isView, isInherited] = []] = [...(await query(TABLE, [name]))]
    return {
      comment,
      isView: isView === 't',
      isInherited: isInherited === 't',
      columns: columnDetails(await query(COLUMNS, [name])),
      indexed: new Set((await query(INDEXED, [name])).map(([column]) => column as string)),
    }
  },
}
