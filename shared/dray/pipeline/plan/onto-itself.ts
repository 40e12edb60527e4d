import { areOneDatabase } from '#dray/database/one-database.ts'
import { tableNameOf } from '#dray/database/table-name.ts'
import { wholeName } from '#dray/database/whole-name.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'

/**
 * Refuses to write a table from itself, which two names of databases hide that are bound to one: the source would be
 * overwritten. Only tables that may be one are asked for.
 */
export async function refuseOntoItself({ name, extract, load }: Pipeline): Promise<void> {
  const [source, target] = [extract.source.definition, load.target.definition]
  if (source.database === target.database || source.query !== undefined) return
  const [from, into] = [extract.source.database, load.target.database]
  const bare = (table: string) => tableNameOf(table).name.toLowerCase()
  if (bare(source.table) !== bare(target.table) || !(await areOneDatabase(from, into))) return
  if ((await wholeName(from, source.table)) !== (await wholeName(into, target.table))) return
  throw new TerminalError(
    `${name}: ${source.database} and ${target.database} are bound to one database, so ${source.table} would be written from itself and its rows overwritten, and nothing was read; bind ${target.database} to another database, or give the target another table. Where a table is to be mended in its place, read and write it by one name of its database`,
  )
}
