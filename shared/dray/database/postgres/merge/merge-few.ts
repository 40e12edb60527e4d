import type { OpenBlocks, Text } from '#dray/block/block.ts'
import { decodeBlock } from '#dray/block/copy-text.ts'
import type { MergeTarget } from '../../adapter.ts'
import { quote } from '../names.ts'
import { countsOf, type MergeCounts } from './counts.ts'
import { lacksRows } from './merge-at-once.ts'
import type { Merging } from './merging.ts'
import type { NarrowColumn } from './narrow-columns.ts'
import type { MergeSession } from './session.ts'
import { MergeSql } from './sql.ts'
import type { TargetTable } from './target-table.ts'

/**
 * Up to so many rows a temporary table costs more than it gains: making, filling and dropping it takes a statement
 * each.
 */
const FEW_ROWS = 500
const FEW_BYTES = 256 * 1024
const FEW_COLUMNS = 200

/**
 * Types whose input function and whose cast from text agree; others (`bit(3)`, `char(3)`, domains) cut in a cast what
 * COPY refuses.
 */
const PLAIN_TYPES = new Set(
  'int2 int4 int8 numeric float8 bool text varchar date timestamp timestamptz uuid json bytea'.split(' '),
)

/**
 * Merges a few rows without a temporary table: their values are bound as one array a column and unnested. Null when
 * they are more than a few, when a column's type or a NULL in the key asks for the longer way, when a column would
 * change a value, when a key comes in two spellings, or when rows are dropped.
 */
export async function mergeFew(session: MergeSession, merging: Merging, open: OpenBlocks): Promise<MergeCounts | null> {
  const { target, table, narrow } = merging
  if (target.columns.length > FEW_COLUMNS) return null
  const rows = await fewRows(open)
  if (rows === null || rows.some((row) => row.length !== target.columns.length)) return null
  const keys = target.key.map((column) => target.columns.indexOf(column))
  if (target.mode !== 'insert' && rows.some((row) => keys.some((index) => row[index] === null))) return null
  const types = castTypes(target, table, narrow)
  if (types === null) return null
  const arrays = target.columns.map((_, index) => arrayOf(rows.map((row) => row[index] ?? null)))
  const sql = new MergeSql(merging, SOURCE)
  const withRows = (statement: string) =>
    statement.replace(/^\s*(?:WITH )?/, (start) => withSource(target, types, start))
  if (narrow.length > 0) {
    const [, , loses] = (await session.run(withRows(sql.look()), arrays)).rows[0] as readonly Text[]
    if (loses === 't') return null
  }
  const counts = countsOf(rows.length, (await session.run(withRows(sql.merge(sql.lastOfEachKey())), arrays)).rows)
  const look = async (statement: string) => (await session.run(withRows(statement), arrays)).rows
  if (await lacksRows(session, merging, sql, sql.lastOfEachKey(), look)) return null
  // The table takes two texts for one key.
  return counts !== null && counts.duplicate > againCount(rows, keys) ? null : counts
}

/** How many rows come again with the same texts in their key. */
function againCount(rows: readonly (readonly Text[])[], keys: readonly number[]): number {
  if (keys.length === 0) return 0
  return rows.length - new Set(rows.map((row) => JSON.stringify(keys.map((index) => row[index])))).size
}

const SOURCE = '"dray_few"'

/** The rows as a table whose `ctid` is their place in the input, as a temporary table's would be. */
function withSource({ columns }: MergeTarget, types: readonly string[], start: string): string {
  const parameters = columns.map((_, index) => `$${index + 1}::text[]`).join(', ')
  const names = columns.map((_, index) => `c${index}`).join(', ')
  const selected = columns.map((column, index) => `u.c${index}::${types[index]} AS ${quote(column)}`).join(', ')
  const source = `WITH ${SOURCE} AS MATERIALIZED (SELECT ${selected}, u.place AS ctid FROM unnest(${parameters}) WITH ORDINALITY AS u(${names}, place))`
  return start.includes('WITH') ? `${source}, ` : `${source} `
}

async function fewRows(open: OpenBlocks): Promise<Text[][] | null> {
  const rows: Text[][] = []
  let bytes = 0
  for await (const block of open()) {
    bytes += block.bytes.length
    // A NUL cannot be bound; the longer way says which row holds it.
    if (rows.length + block.rows > FEW_ROWS || bytes > FEW_BYTES || block.bytes.includes(0)) return null
    rows.push(...decodeBlock(block))
  }
  return rows.length === 0 ? null : rows
}

/** The type of each column, or the wider one of a narrow column; null when a type is not plain. */
function castTypes({ columns }: MergeTarget, table: TargetTable, narrow: readonly NarrowColumn[]): string[] | null {
  const types = new Map(table.columns.map(({ name, type, modifier }) => [name, modifier < 0 ? type : null]))
  const cast = columns.map((column) => {
    const { wide } = narrow.find((candidate) => candidate.column === column) ?? { wide: types.get(column) }
    return wide && PLAIN_TYPES.has(wide) ? wide : null
  })
  return cast.every((type) => type !== null) ? cast : null
}

/** An array as text, as the server reads it. */
function arrayOf(values: readonly Text[]): string {
  const elements = values.map((value) => (value === null ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`))
  return `{${elements.join(',')}}`
}
