import { type CatalogueCapabilities, columnDetails } from '../catalogue.ts'
import { tableNameOf, tableText } from '../table-name.ts'

const LIST = `
  select if(table_schema = database(), null, table_schema), table_name, table_type like '%VIEW%', table_rows, data_length
  from information_schema.tables
  where table_schema not in ('information_schema', 'mysql', 'performance_schema', 'sys') and table_type not like 'SEQUENCE'
  order by 1, 2`

const WHERE = 'table_schema = coalesce(?, database()) and table_name = ?'

const TABLE = `
  select if(table_type like '%VIEW%', '', table_comment), table_type like '%VIEW%' from information_schema.tables where ${WHERE}`

const COLUMNS = `
  select c.column_name, c.column_comment, c.extra like '%auto_increment%',
    exists (select 1 from information_schema.key_column_usage k where k.table_schema = c.table_schema
      and k.table_name = c.table_name and k.column_name = c.column_name and k.referenced_table_name is not null),
    c.extra like '%on update current_timestamp%'
  from information_schema.columns c where c.table_schema = coalesce(?, database()) and c.table_name = ?`

const INDEXED = `select column_name from information_schema.statistics where ${WHERE} and seq_in_index = 1`

export const catalogue: CatalogueCapabilities = {
  async list(query) {
    const rows = await query(LIST)
    return rows.map(([schema = null, name, isView, count = null, bytes = null]) => ({
      table: tableText({ schema, name: name as string }),
      isView: isView === '1',
      rows: count === null || isView === '1' ? null : Number(count),
      bytes: bytes === null || isView === '1' ? null : Number(bytes),
    }))
  },

  async details(query, table) {
    const { schema, name } = tableNameOf(table)
    const place = [schema, name]
    const [[comment = null, isView] = []] = [...(await query(TABLE, place))]
    return {
      comment: comment || null,
      isView: isView === '1',
      isInherited: false,
      columns: columnDetails(await query(COLUMNS, place)),
      indexed: new Set((await query(INDEXED, place)).flatMap(([column]) => column ?? [])),
    }
  },
}
