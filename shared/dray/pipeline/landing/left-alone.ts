import { type RawBuilder, sql } from 'kysely'
import { readColumn, tableName } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder, linesOf, unescapeField } from '#dray/block/copy-text.ts'
import type { Adapter, HeldRows, MergeResult, QueryOptions } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { tableParts } from '#dray/database/table-name.ts'
import { TransientError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keyPlaces, mayBeRespelled } from '#dray/pipeline/rows/taken-over-key.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { canonicalKey, columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { hashOf, knownSpellings } from './kept-spellings.ts'
import { type LeftOut, withoutRows, withRefused } from './some-rows.ts'

type Key = readonly Text[]

/** What a load came to, and how many rows it was not to write. */
export interface Landed extends MergeResult {
  readonly left: number
}

interface Options extends QueryOptions {
  /** A row is left alone even where its key is there from one that spells it otherwise. */
  readonly respell: boolean
}

/**
 * Loads the rows whose key is new, or those whose key is there, and leaves the others alone: the target says which they
 * are. A row whose key is there from a row that spells it otherwise is not left alone, but refused.
 */
export async function loadSome(
  pipeline: Pipeline,
  open: OpenBlocks,
  load: (open: OpenBlocks) => Promise<MergeResult>,
  options: Options,
): Promise<Landed> {
  const { name, load: loading } = pipeline
  if (loading.update !== 'never' && loading.insert) return { ...(await load(open)), left: 0 }
  const leftOut = await leftAlone(pipeline, open, options)
  const merged = await load(withoutRows(open, leftOut))
  const written = loading.insert ? merged.updated : merged.inserted
  if (written > 0) {
    throw new TransientError(
      `${name}: another writer has ${loading.insert ? 'inserted' : 'deleted'} ${written} rows of ${loading.target.definition.database}.${loading.target.definition.table} since their keys were looked up, so nothing was written; tried again, they are seen`,
    )
  }
  return { ...(await withRefused(merged, open, leftOut)), left: leftOut.size }
}

/** The places of rows that are not to be written. */
async function leftAlone(pipeline: Pipeline, open: OpenBlocks, options: Options): Promise<LeftOut> {
  const { target, by, insert } = pipeline.load
  const columns = columnsOf(target.definition, by)
  const names = columns.map(({ column }) => column)
  const keys = insert && !options.respell && mayBeRespelled(pipeline) ? await keysOf(pipeline, open) : null
  const found = await target.database.withConnection(async (connection, adapter) => {
    const table = { table: target.definition.table, columns: names, key: names }
    const held = await connection.holdRows(table, () => keyBlocks(pipeline, open), options)
    const statement = insert ? presentRows(adapter, pipeline, columns, held) : absentRows(pipeline, columns, held)
    const { sql: text, parameters } = compile(adapter, statement)
    const { rows } = await connection.query(text, parameters, options)
    await held.release()
    return rows.map(([place, ...stored]) => ({ place: held.rowOf(place as string), stored }))
  })
  const left = keys === null ? found : await spelledAlike(pipeline, found, keys)
  return new Map(left.map(({ place }) => [place, null]))
}

/** Of rows whose key the target has those that spell it as the row which it has it from. */
async function spelledAlike(
  pipeline: Pipeline,
  found: readonly { readonly place: number; readonly stored: Key }[],
  keys: readonly Key[],
) {
  const by = columnsOf(pipeline.load.target.definition, pipeline.load.by)
  const textOf = (key: Key) => keyOf(canonicalKey(by, key))
  const known = await knownSpellings(pipeline, found)
  return found.filter(({ place, stored }) => {
    const given = keys[place] as Key
    const spelling = known.get(hashOf(stored))
    return spelling === undefined ? textOf(stored) === textOf(given) : keyOf(spelling) === keyOf(given)
  })
}

function owned({ load }: Pipeline, { column }: ColumnDefinition): RawBuilder<unknown> {
  return sql.id(...tableParts(load.target.definition.table), column)
}

function sameKey(pipeline: Pipeline, columns: readonly ColumnDefinition[]): RawBuilder<unknown> {
  const same = columns.map((column, at) => sql`${owned(pipeline, column)} = ${sql.id('dray_held', keyName(at))}`)
  return sql.join(same, sql` and `)
}

function keyName(at: number): string {
  return `dray_key_${at}`
}

/** The keys that are held, under names that no column of the target has. */
function heldKeys(columns: readonly ColumnDefinition[], { table, place }: HeldRows): RawBuilder<unknown> {
  const keys = columns.map(({ column }, at) => sql`${sql.id(column)} as ${sql.id(keyName(at))}`)
  return sql`(select ${sql.raw(place)} as dray_row, ${sql.join(keys)} from ${sql.raw(table)}) dray_held`
}

function presentRows(
  adapter: Adapter,
  pipeline: Pipeline,
  columns: readonly ColumnDefinition[],
  held: HeldRows,
): RawBuilder<unknown> {
  const { definition } = pipeline.load.target
  const stored = sql.join(columns.map((column) => readColumn(adapter, column)))
  return sql`select dray_row, ${stored} from ${heldKeys(columns, held)} join ${tableName(definition)} on ${sameKey(pipeline, columns)}`
}

function absentRows(pipeline: Pipeline, columns: readonly ColumnDefinition[], held: HeldRows): RawBuilder<unknown> {
  const { definition } = pipeline.load.target
  return sql`select dray_row from ${heldKeys(columns, held)}
    where not exists (select 1 from ${tableName(definition)} where ${sameKey(pipeline, columns)})`
}

async function* keyBlocks(pipeline: Pipeline, open: OpenBlocks): AsyncGenerator<CopyBlock> {
  const encoder = new BlockEncoder()
  for await (const key of keysIn(pipeline, open)) {
    const full = encoder.push(key)
    if (full !== null) yield full
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

async function keysOf(pipeline: Pipeline, open: OpenBlocks): Promise<Key[]> {
  const keys: Key[] = []
  for await (const key of keysIn(pipeline, open)) keys.push(key)
  return keys
}

async function* keysIn(pipeline: Pipeline, open: OpenBlocks): AsyncGenerator<Key> {
  const places = keyPlaces(pipeline)
  for await (const block of open()) {
    for (const line of linesOf(block)) {
      const fields = line.split('\t')
      yield places.map((place) => unescapeField(fields[place] as string))
    }
  }
}
