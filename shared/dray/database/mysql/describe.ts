import type { Text } from '#dray/block/block.ts'
import type { LiveTable } from '../adapter.ts'
import { tableNameOf } from '../table-name.ts'
import { literal } from './bind-literals.ts'
import type { Reply } from './reply.ts'

/** A column as information_schema describes it. */
export interface MysqlColumn {
  readonly name: string
  /** The whole type, e.g. `varchar(200)`. */
  readonly type: string
  /** Its first word, e.g. `varchar`. */
  readonly kind: string
  readonly nullable: boolean
  readonly hasDefault: boolean
  readonly isGenerated: boolean
  readonly isNumbered: boolean
  readonly characterSet: string | null
  readonly collation: string | null
  /** Digits of a second's fraction; null where the type has none. */
  readonly fraction: number | null
}

export interface MysqlTable {
  readonly columns: readonly MysqlColumn[]
  readonly engine: string | null
  /** MariaDB keeps the former states of rows, and counts them among those that a statement has inserted. */
  readonly isVersioned: boolean
  readonly primaryKey: readonly string[]
  readonly uniqueKeys: readonly (readonly string[])[]
  /** No unique key is over an expression, or the beginnings of values. */
  readonly areKeysWhole: boolean
}

type Run = (sql: string) => Promise<Reply>

/** The live table, or null. */
export async function describeTable(run: Run, table: string, isMariaDB: boolean): Promise<LiveTable | null> {
  const found = await readTable(run, table, isMariaDB)
  if (found === null) return null
  return {
    columns: found.columns.map(({ name, type, nullable, hasDefault, isGenerated, isNumbered }) => {
      const own = isNumbered ? ({ isNumbered: true } as const) : {}
      return { name, type, nullable, hasDefault, isComputed: isGenerated, ...own }
    }),
    primaryKey: found.primaryKey,
    uniqueKeys: found.uniqueKeys,
  }
}

/** A table's columns and keys, with all that a merge has to know of them; null when there is none. */
export async function readTable(run: Run, table: string, isMariaDB: boolean): Promise<MysqlTable | null> {
  const { schema, name } = tableNameOf(table)
  const place = `table_schema = ${schema === null ? 'DATABASE()' : literal(schema)} AND table_name = ${literal(name)}`
  const columns = await run(
    `SELECT column_name, column_type, data_type, is_nullable, column_default, extra, character_set_name, collation_name, datetime_precision,
       (SELECT engine FROM information_schema.tables WHERE ${place}), (SELECT table_type FROM information_schema.tables WHERE ${place})
     FROM information_schema.columns WHERE ${place} ORDER BY ordinal_position`,
  )
  if (columns.rows.length === 0) return null
  const keys = await run(
    `SELECT index_name, column_name, sub_part FROM information_schema.statistics WHERE ${place} AND non_unique = 0 ORDER BY index_name, seq_in_index`,
  )
  const indexes = new Map<string, string[]>()
  for (const [index, column] of keys.rows as readonly [string, Text, Text][]) {
    indexes.set(index, [...(indexes.get(index) ?? []), column ?? ''])
  }
  const primaryKey = indexes.get('PRIMARY') ?? []
  indexes.delete('PRIMARY')
  return {
    columns: columns.rows.map((row) => columnOf(row, isMariaDB)),
    engine: columns.rows[0]?.[9] ?? null,
    isVersioned: columns.rows[0]?.[10] === 'SYSTEM VERSIONED',
    primaryKey,
    uniqueKeys: [...indexes.values()],
    areKeysWhole: keys.rows.every(([, column, part]) => column !== null && part === null),
  }
}

function columnOf(row: readonly Text[], isMariaDB: boolean): MysqlColumn {
  const [name, type, kind, nullable, default_, extra, characterSet, collation, fraction] = row
  const isGenerated =
    /generated(?! *$)|virtual|persistent|stored/i.test(extra ?? '') && !/default_generated/i.test(extra ?? '')
  // MariaDB writes the default NULL as the word, a string 'NULL' with its quotes.
  const hasValue = default_ !== null && !(isMariaDB && default_ === 'NULL')
  return {
    name: name ?? '',
    type: type ?? '',
    kind: (kind ?? '').toLowerCase(),
    nullable: nullable === 'YES',
    hasDefault: hasValue || isGenerated || /auto_increment/i.test(extra ?? ''),
    isGenerated,
    isNumbered: /auto_increment/i.test(extra ?? ''),
    characterSet: characterSet ?? null,
    collation: collation ?? null,
    fraction: fraction === null || fraction === undefined ? null : Number(fraction),
  }
}
