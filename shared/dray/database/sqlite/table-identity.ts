import type { TableIdentity } from '../capabilities.ts'
import type { ReadRows } from '../reading.ts'
import { tableNameOf } from '../table-name.ts'
import { COUNTS, OTHERS, TABLES } from './counted-definitions.ts'

const HAS_COUNTS = 'select 1 from sqlite_schema where name = ?'
const SEEN = `
  select (select type from sqlite_schema where name = ?1 collate nocase and type in ('table', 'view')) as kind,
    schema_version as moves, (select count(*) from sqlite_schema where ${TABLES}) as tables,
    (select count(*) from sqlite_schema where ${OTHERS}) as others
  from pragma_schema_version`
/** A view's rows are made anew by what is done to other tables. */
const SEEN_OF_OTHERS = `
  select s.kind, s.moves - coalesce(sum(iif(c.name = '', c.moves, -c.moves)), 0), s.tables - coalesce(sum(c.tables), 0),
    s.others - coalesce(sum(c.others), 0)
  from (${SEEN}) s left join ${COUNTS} c on s.kind = 'table' and (c.name = '' or c.name = ?1 collate nocase
    and (c.added = '' or c.added collate nocase in (select value from json_each(?2))))`

/**
 * Nothing in a file numbers its tables: one that is made anew may lie where it lay before. But the file counts the
 * statements that define something (https://www.sqlite.org/pragma.html#pragma_schema_version): `moves` are those that
 * may have made the table anew, `tables` and `others` what there is by statements that are not counted as Dray's.
 */
export async function tableIdentity(rows: ReadRows, table: string, columns: readonly string[]): Promise<TableIdentity> {
  const { name } = tableNameOf(table)
  const isCounted = (await rows(HAS_COUNTS, [COUNTS])).length > 0
  const [[kind = null, ...counts] = []] = await (isCounted
    ? rows(SEEN_OF_OTHERS, [name, JSON.stringify(columns)])
    : rows(SEEN, [name]))
  return { ids: [], definition: kind === null ? null : [kind, ...counts].join(' '), partsFrom: null }
}

/**
 * It takes two statements to make a table anew: one by which the former one goes (`drop`, `rename`), and one by which
 * the other one comes, which may be that which makes a table more. Each other thing that there is more took another.
 */
export function sameDefinition(known: string, now: string): boolean {
  const [kind, ...counts] = now.split(' ')
  const [moves = 0, tables = 0, others = 0] = counts.map(Number)
  // A version of before kept nothing but the file's number.
  if (/^\d+$/.test(known)) return Number(known) === moves
  const [knownKind, ...knownCounts] = known.split(' ')
  const [knownMoves = 0, knownTables = 0, knownOthers = 0] = knownCounts.map(Number)
  const more = { tables: Math.max(0, tables - knownTables), others: Math.max(0, others - knownOthers) }
  const done = moves - knownMoves
  // A file that another one took the place of may count from anywhere.
  if (kind !== knownKind || done < more.tables + more.others) return false
  return done - more.others - Math.max(0, more.tables - 1) < 2
}
