import { createHash } from 'node:crypto'
import { ConfigurationError, TerminalError } from '#dray/errors.ts'
import type { TableIdentity } from '../capabilities.ts'
import type { ReadRows } from '../reading.ts'
import { tableNameOf } from '../table-name.ts'

/** MySQL keeps the first for a table that is renamed; MariaDB moves it on with each change of a definition. */
const DEFINITION = `
  select coalesce(cast(t.create_time as char), v.view_definition), v.view_definition is not null, t.table_schema, t.table_name
  from information_schema.tables t left join information_schema.views v
    on v.table_schema = t.table_schema and v.table_name = t.table_name
  where t.table_schema = if(? = '', database(), ?) and t.table_name = ?`

/**
 * Names are written as those of files are, and parts of a table end in `#p#` and their own. MySQL keeps the character
 * set of file names to itself, so there they are written by `fileName`.
 */
const NAMES = {
  innodb_: "concat(?, '/', ?)",
  innodb_sys_:
    "concat(cast(convert(? using filename) as char character set binary), '/', cast(convert(? using filename) as char character set binary))",
}

/** https://dev.mysql.com/doc/refman/9.4/en/identifier-mapping.html; letters beyond ASCII find nothing. */
function fileName(name: string): string {
  return name.replaceAll(/[^0-9A-Za-z_]/g, (character) => `@${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A column is the same as long as an index that begins with it is. */
function idsFrom(prefix: 'innodb_' | 'innodb_sys_', columns: number): string {
  const ofIndexes = Array.from(
    { length: columns },
    () => `(
    select min(i.index_id) from information_schema.${prefix}indexes i join information_schema.${prefix}fields f
      on f.index_id = i.index_id and f.pos = 0 where i.table_id = t.table_id and f.name = ?)`,
  )
  return `
    select t.table_id, ${ofIndexes.join(', ')} from information_schema.${prefix}tables t
    where substring_index(replace(cast(t.name as char character set binary), '#P#', '#p#'), '#p#', 1) = ${NAMES[prefix]}
    order by t.table_id desc limit ${MOST_PARTS}`
}

const MOST_PARTS = 200

export async function tableIdentity(rows: ReadRows, table: string, columns: readonly string[]): Promise<TableIdentity> {
  const { schema, name } = tableNameOf(table)
  const place = [schema ?? '', schema ?? '', name]
  const [[definition = null, isView, ownSchema = null, ownName = null] = []] = await rows(DEFINITION, place)
  if (definition === null || ownSchema === null || ownName === null) return { ids: [], definition, partsFrom: null }
  if (isView === '1') return { ids: [], definition: hash(definition), partsFrom: null }
  const ids = columns.length === 0 ? [] : await idsOf(rows, [ownSchema, ownName], columns)
  return { ids, definition, partsFrom: null }
}

/** None where the role may not see them, the engine is another one, or a column has no index. */
async function idsOf(rows: ReadRows, place: readonly string[], columns: readonly string[]): Promise<readonly string[]> {
  for (const prefix of ['innodb_', 'innodb_sys_'] as const) {
    try {
      const names = prefix === 'innodb_' ? place.map(fileName) : place
      const found = await rows(idsFrom(prefix, columns.length), [...columns, ...names])
      return found.some((ids) => ids.includes(null)) ? [] : found.map((ids) => ids.join('.'))
    } catch (error) {
      if (!(error instanceof TerminalError || error instanceof ConfigurationError)) throw error
    }
  }
  return []
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
