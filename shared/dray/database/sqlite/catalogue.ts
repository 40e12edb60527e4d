import { type CatalogueCapabilities, columnDetails, type Query } from '../catalogue.ts'
import { tableNameOf, tableText } from '../table-name.ts'
import { quoteTable } from './names.ts'

const LIST = `
  select case when schema = 'main' then null else schema end, name, type = 'view' from pragma_table_list
  where type in ('table', 'view', 'virtual') and schema <> 'temp' and name not like 'sqlite\\_%' escape '\\'
  order by schema <> 'main', schema, name`

const COLUMNS = `
  select name, null, pk = 1 and upper(type) = 'INTEGER',
    exists (select 1 from pragma_foreign_key_list(?1) f where f."from" = x.name), 0
  from pragma_table_xinfo(?1) x where hidden <> 1`

const INDEXED = `
  select ii.name from pragma_index_list(?1) il, pragma_index_info(il.name) ii where not il.partial and ii.seqno = 0
  union select name from pragma_table_info(?1) where pk = 1`

const IS_VIEW = `select 1 from pragma_table_list where name = ?1 and type = 'view'`

/** SQLite keeps no count, and its files are small. */
async function rowsOf(query: Query, table: string): Promise<number> {
  return Number((await query(`select count(*) from ${quoteTable(table)}`))[0]?.[0])
}

export const catalogue: CatalogueCapabilities = {
  async list(query) {
    const rows = await query(LIST)
    const listed = rows.map(async ([schema = null, name, isView]) => {
      const table = tableText({ schema, name: name as string })
      return { table, isView: isView === '1', rows: isView === '1' ? null : await rowsOf(query, table), bytes: null }
    })
    return Promise.all(listed)
  },

  async details(query, table) {
    const place = [tableNameOf(table).name]
    return {
      comment: null,
      isView: (await query(IS_VIEW, place)).length > 0,
      isInherited: false,
      columns: columnDetails(await query(COLUMNS, place)),
      indexed: new Set((await query(INDEXED, place)).flatMap(([column]) => column ?? [])),
    }
  },
}
