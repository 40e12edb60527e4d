import type { ValueDatabase } from '#test/contracts/value-databases.ts'
import type { TypedValues } from './built-in-types.ts'

/** A table with a column of each type, whose rows have their values one after another, and NULL at last. */
export async function makeTyped(
  database: ValueDatabase,
  table: string,
  types: TypedValues,
): Promise<readonly string[]> {
  const { quote, engine } = database
  const names = Object.keys(types).map((_, place) => `c${place}`)
  const columns = Object.keys(types).map((type, place) => `${quote(`c${place}`)} ${type}`)
  const id = engine === 'sqlite' ? 'integer' : 'bigint'
  await database.run(`create table ${quote(table)} (id ${id} not null primary key, ${columns.join(', ')})`)
  const rows = Math.max(...Object.values(types).map((values) => values.length)) + 1
  for (let row = 0; row < rows; row++) {
    const values = Object.values(types).map((of) => of[row] ?? 'NULL')
    await database.run(`insert into ${quote(table)} values (${row}, ${values.join(', ')})`)
  }
  return names
}

/** Types of columns by the catalogue. */
export async function typesIn({ engine, rows, quote }: ValueDatabase, table: string): Promise<Record<string, string>> {
  const text = {
    postgres: `select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = '${quote(table)}'::regclass and attnum > 0 and not attisdropped`,
    mysql: `select column_name, column_type from information_schema.columns where table_schema = database() and table_name = '${table}'`,
    sqlite: `select name, type from pragma_table_info('${table}')`,
  }[engine === 'mariadb' ? 'mysql' : engine]
  return Object.fromEntries(await rows(text))
}

/** A value of MySQL in whole: HEX cuts numbers, and gives texts in the bytes of their character set. */
function wholeOf(column: string, type: string): string {
  if (/^(?:decimal|double|float)/.test(type)) return `cast(${column} * 1e0 as char), '/', ${column}`
  return /character set/.test(type) ? `hex(convert(${column} using utf8mb4))` : `hex(${column})`
}

/** Of each column a digest of all its values, which the database computes; columns by their declared types. */
export async function digestsIn(
  { engine, rows, quote }: ValueDatabase,
  table: string,
  types: readonly string[],
): Promise<Record<string, string>> {
  const exact = (column: string, type: string) =>
    ({
      postgres: `md5(coalesce(string_agg(coalesce(${column}::text, 'NULL'), '|' order by id), ''))`,
      mysql: `sha2(group_concat(coalesce(concat(${wholeOf(column, type)}), 'NULL') order by id separator '|'), 256)`,
      sqlite: `group_concat(quote(${column}) || typeof(${column}), '|')`,
    })[engine === 'mariadb' ? 'mysql' : engine]
  if (engine === 'mysql' || engine === 'mariadb') await rows('set session group_concat_max_len = 100000000')
  const digests = types.map((type, place) => exact(quote(`c${place}`), type))
  const [values = []] = await rows(`select ${digests.join(', ')} from ${quote(table)}`)
  return Object.fromEntries(types.map((type, place) => [`c${place} ${type}`, values[place] as string]))
}
