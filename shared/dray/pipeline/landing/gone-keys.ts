import { type RawBuilder, sql } from 'kysely'
import { columnName, KEYS_AT_ONCE, tableName, where } from '#dray/active-record/sql.ts'
import { type ColumnDefinition, columnOf } from '#dray/active-record/table-definition.ts'
import type { CopyBlock, Text } from '#dray/block/block.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { ConfigurationError, TerminalError, TransientError } from '#dray/errors.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { compareTexts, keyOf } from '#dray/pipeline/texts/canonical.ts'
import { canonicalKey, columnsOf, hasKey, inGroups, orderedBy } from '#dray/pipeline/texts/key-texts.ts'

/** What was found on the way; complete when the keys have been read to the end. */
export interface KeyCounts {
  /** Keys of the source. */
  source: number
  /** Rows of the target that are not deleted already. */
  target: number
}

interface Key {
  readonly texts: readonly Text[]
  readonly canonical: readonly Text[]
}

/**
 * The keys of target rows whose source row is gone, as blocks of the target's texts: the keys of both are read side by
 * side, each in one snapshot and in the same order, and compared exactly, whatever the collations. Each is looked up in
 * the source once more.
 */
export async function* goneKeys(pipeline: Pipeline, counts: KeyCounts, signal: AbortSignal): AsyncGenerator<CopyBlock> {
  const { source } = pipeline.extract
  const columns = columnsOf(source.definition, pipeline.deletes.key)
  checkOrder(pipeline, columns)
  const encoder = new BlockEncoder()
  let group: Key[] = []
  const confirm = async function* () {
    const present = await presentKeys(source, columns, group)
    for (const key of group) {
      if (present.has(keyOf(key.canonical))) continue
      const full = encoder.push(key.texts)
      if (full !== null) yield full
    }
    group = []
  }
  for await (const key of missingFromSource(pipeline, columns, counts, signal)) {
    group.push(key)
    if (group.length >= KEYS_AT_ONCE) yield* confirm()
  }
  if (group.length > 0) yield* confirm()
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

async function* missingFromSource(
  pipeline: Pipeline,
  columns: readonly ColumnDefinition[],
  counts: KeyCounts,
  signal: AbortSignal,
): AsyncGenerator<Key> {
  const targetColumns = columnsOf(pipeline.load.target.definition, pipeline.load.by)
  const sources = keysInOrder(pipeline, pipeline.extract.source, columns, null, signal)[Symbol.asyncIterator]()
  const live = liveRows(pipeline)
  try {
    let next = await sources.next()
    for await (const key of keysInOrder(pipeline, pipeline.load.target, targetColumns, live, signal)) {
      counts.target += 1
      while (next.done !== true && compareKeys(targetColumns, next.value, key) < 0) {
        counts.source += 1
        next = await sources.next()
      }
      if (next.done === true || compareKeys(targetColumns, next.value, key) > 0) yield key
    }
    if (next.done !== true) counts.source += 1
  } finally {
    await sources.return?.(undefined)
  }
}

/** Target rows that are not deleted already. */
export function liveRows(pipeline: Pipeline): RawBuilder<unknown> | null {
  const { load, deletes } = pipeline
  const name = deletes.kind === 'soft' ? deletes.field : (load.history?.validTo ?? null)
  if (name === null) return null
  const column = columnOf(load.target.definition, name)
  const isNull = sql`${columnName(column)} is null`
  if (column.field.settings.kind !== 'boolean') return isNull
  return sql`(${isNull} or not ${columnName(column)})`
}

async function* keysInOrder(
  pipeline: Pipeline,
  model: AnyModel,
  columns: readonly ColumnDefinition[],
  condition: RawBuilder<unknown> | null,
  signal: AbortSignal,
): AsyncGenerator<Key> {
  const { database, definition } = model
  const adapter = await database.adapter()
  const { sql: text, parameters } = compile(
    adapter,
    sql`select ${sql.join(columns.map(columnName))} from ${tableName(definition)}${where(condition === null ? [] : [condition])} order by ${orderedBy(adapter, columns)}`,
  )
  let last: Key | null = null
  for await (const rows of database.stream(text, parameters)) {
    if (signal.aborted) {
      throw new TransientError(`${pipeline.name}: the comparison of keys was stopped, so nothing was deleted`, {
        cause: signal.reason,
      })
    }
    for (const texts of rows) {
      // A key with a NULL in it is no key.
      if (texts.includes(null)) continue
      const key: Key = { texts, canonical: canonicalKey(columns, texts) }
      if (last !== null && compareKeys(columns, last, key) > 0) throw disordered(pipeline, model, last, key)
      last = key
      yield key
    }
  }
}

function disordered(pipeline: Pipeline, { definition }: AnyModel, one: Key, other: Key): TerminalError {
  return new TerminalError(
    `${pipeline.name}: ${definition.database}.${definition.table} gives the key ${keyOf(one.texts)} before ${keyOf(other.texts)}, so its keys cannot be compared and nothing was deleted; store keys in one form, or leave deletes out`,
  )
}

function compareKeys(columns: readonly ColumnDefinition[], one: Key, other: Key): number {
  for (const [place, column] of columns.entries()) {
    const difference = compareTexts(column, one.canonical[place] as string, other.canonical[place] as string)
    if (difference !== 0) return difference
  }
  return 0
}

const NUMBERS = new Set(['bigint', 'integer', 'decimal', 'double'])

/** Keys that are numbers on one side and text on the other are in no common order. */
function checkOrder(pipeline: Pipeline, columns: readonly ColumnDefinition[]): void {
  for (const [place, target] of columnsOf(pipeline.load.target.definition, pipeline.load.by).entries()) {
    const source = columns[place] as ColumnDefinition
    const [one, other] = [source.field.settings.kind, target.field.settings.kind]
    if (NUMBERS.has(one) === NUMBERS.has(other)) continue
    throw new ConfigurationError(
      `${pipeline.name}: the key ${source.name} of the source is a ${one} and ${target.name} of the target a ${other}, so they cannot be compared and nothing was deleted; declare both alike`,
    )
  }
}

async function presentKeys(
  model: AnyModel,
  columns: readonly ColumnDefinition[],
  keys: readonly Key[],
): Promise<Set<string>> {
  const { database, definition } = model
  return database.withConnection(async (connection, adapter) => {
    const present = new Set<string>()
    for (const group of inGroups(keys)) {
      const condition = hasKey(
        adapter,
        columns,
        group.map(({ texts }) => texts),
      )
      const statement = compile(
        adapter,
        sql`select ${sql.join(columns.map(columnName))} from ${tableName(definition)} where ${condition}`,
      )
      const { rows } = await connection.query(statement.sql, statement.parameters)
      for (const row of rows) present.add(keyOf(canonicalKey(columns, row)))
    }
    return present
  })
}

/** For the deletion: the rows of these keys that are not deleted already. */
export function liveRowsOf(
  pipeline: Pipeline,
  adapter: Adapter,
  keys: readonly (readonly Text[])[],
): RawBuilder<unknown> {
  const condition = hasKey(adapter, columnsOf(pipeline.load.target.definition, pipeline.load.by), keys)
  const live = liveRows(pipeline)
  return live === null ? condition : sql`${condition} and ${live}`
}
