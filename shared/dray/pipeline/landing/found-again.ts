import { sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import { columnName, tableName } from '#dray/active-record/sql.ts'
import type { OpenBlocks, Text } from '#dray/block/block.ts'
import { decodeBlock } from '#dray/block/copy-text.ts'
import type { MergeResult } from '#dray/database/adapter.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { columnsOf, hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { queried } from './queried.ts'

/**
 * Where triggers may rewrite rows: throws `Terminal` when a row that was loaded is not found by its key. Each run would
 * take it for a new one, and a delete for absence for one that is gone.
 */
export async function requireFoundAgain(
  pipeline: Pipeline,
  open: OpenBlocks,
  { rejected }: MergeResult,
): Promise<void> {
  const { target, by } = pipeline.load
  if (!(await hasTriggers(pipeline))) return
  const refused = new Set(rejected.map(({ row }) => row))
  const places = by.map((name) => bulkColumns(target.definition).findIndex((column) => column.name === name))
  let row = 0
  for await (const block of open()) {
    const keys = new Map<string, Text[]>()
    for (const texts of decodeBlock(block)) {
      const key = places.map((place) => texts[place] ?? null)
      if (!refused.has(row++)) keys.set(keyOf(key), key)
    }
    for (const group of inGroups(keys.values())) await requireEach(pipeline, group)
  }
}

async function requireEach(pipeline: Pipeline, keys: readonly Text[][]): Promise<void> {
  if ((await countFound(pipeline, keys)) >= keys.length) return
  for (const key of keys) {
    if ((await countFound(pipeline, [key])) > 0) continue
    const { target, by } = pipeline.load
    const { database, table } = target.definition
    const named = by.map((name, place) => `${name} ${key[place]}`).join(', ')
    throw new TerminalError(
      `${pipeline.name}: the row ${named} was written to ${database}.${table}, but is not there under this key, so nothing of its partition was kept; a trigger of the table rewrites the key: let the transform give the key as the trigger writes it, or let the trigger leave it`,
    )
  }
}

async function countFound({ load }: Pipeline, keys: readonly Text[][]): Promise<number> {
  const { database, definition } = load.target
  const columns = columnsOf(definition, load.by)
  const found = hasKey(await database.adapter(), columns, keys)
  const key = sql.join(columns.map(columnName))
  return (await queried(database, sql`select distinct ${key} from ${tableName(definition)} where ${found}`)).length
}

async function hasTriggers({ load }: Pipeline): Promise<boolean> {
  const { database, definition } = load.target
  const { schema } = await database.adapter()
  return (await queried(database, schema.reasonsToChange(definition.table, '', 'bigint'))).length > 0
}
