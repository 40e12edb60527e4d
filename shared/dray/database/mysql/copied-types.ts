import type { CopiedType, CopyTypes } from '../copied-types.ts'
import type { ReadRows } from '../reading.ts'
import { tableOf } from './live-table.ts'

/** As information_schema names the types that MySQL and MariaDB have, and mean the same by. */
const OF_BOTH = new RegExp(
  `^(?:${[
    String.raw`(?:tiny|small|medium|big)?int(?:\(\d+\))?(?: unsigned)?(?: zerofill)?`,
    // One of FLOAT(7,3) would not be told from a value that is cut.
    String.raw`(?:float|(?:decimal|double)(?:\(\d+,\d+\))?)(?: unsigned)?(?: zerofill)?`,
    String.raw`bit\(\d+\)|year(?:\(4\))?|date|(?:datetime|timestamp|time)(?:\(\d\))?`,
    String.raw`(?:var)?(?:char|binary)\(\d+\)|(?:tiny|medium|long)?(?:text|blob)`,
    String.raw`(?:enum|set)\('.*'\)`,
  ].join('|')})$`,
  'is',
)
/**
 * Those that the other one has not, or holds in another form. MySQL's JSON is not here: it makes a double of a decimal
 * in its text, so that a copy as text alone has each document as it was.
 */
const OF_ONE = /^(?:uuid|inet[46]|geometry|point|linestring|polygon|multi\w+|geom\w*collection|vector\(\d+\))$/i

/** Character sets whose texts take no more room in utf8mb4. */
const AS_SHORT = /^(?:utf8|utf8mb3|utf8mb4|ascii)$/
/** Of one byte a character, on MySQL and MariaDB. */
const ONE_BYTE = /^(?:latin[1257]|cp125[0167]|cp85[02]|cp866|koi8[ru]|greek|hebrew|armscii8|geostd8|keybcs2|mac\w+)$/
/** Their length is in bytes, so that the same text could be too long in another character set. */
const IN_BYTES = /^(?:tiny|medium)?text$/i

interface Server {
  readonly isMariaDB: boolean
  /** A TIMESTAMP gets no default, and is not moved on by updates, unless its declaration says so. */
  readonly leavesTimestamps: boolean
}

async function serverOf(rows: ReadRows): Promise<Server> {
  const [[version, isExplicit] = []] = await rows('select version(), @@explicit_defaults_for_timestamp', [])
  return { isMariaDB: /mariadb/i.test(version ?? ''), leavesTimestamps: isExplicit === '1' }
}

async function characterSets(rows: ReadRows, table: string): Promise<ReadonlyMap<string, string | null>> {
  const { schema, name } = tableOf(table)
  const found = await rows(
    `select column_name, character_set_name from information_schema.columns where table_schema = coalesce(${schema}, database()) and table_name = ${name}`,
    [],
  )
  return new Map(found.map(([column, characters]) => [column ?? '', characters ?? null]))
}

export const copiedTypes: CopyTypes = async ({ table, columns, key, from, into }) => {
  const [source, target] = [await serverOf(from), await serverOf(into)]
  const characters = await characterSets(from, table)
  const made = (name: string, type: string): string | null => {
    if (OF_ONE.test(type)) return source.isMariaDB === target.isMariaDB ? type : null
    if (!OF_BOTH.test(type)) return null
    if (/^timestamp/i.test(type) && (!target.leavesTimestamps || key.includes(name))) return null
    // A text is compared with it as what it is not.
    if (/^float/i.test(type) && key.includes(name)) return null
    const set = characters.get(name) ?? 'utf8mb4'
    if (!IN_BYTES.test(type) || AS_SHORT.test(set)) return type
    return ONE_BYTE.test(set) ? `${type} character set ${set} collate ${set}_bin` : null
  }
  return new Map(
    columns.flatMap(({ name, type }): [string, CopiedType][] => {
      const text = made(name, type)
      return text === null ? [] : [[name, { type, made: text }]]
    }),
  )
}

/** Of those that compare texts of utf8mb4 byte by byte the one for which blanks at the end are a difference, too. */
export async function exactCollation(rows: ReadRows): Promise<string | null> {
  const [found] = await rows(
    "select collation_name from information_schema.collations where collation_name in ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') order by 1 desc",
    [],
  )
  return found?.[0] ?? null
}
