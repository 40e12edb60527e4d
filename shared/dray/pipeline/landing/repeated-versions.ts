import { sql } from 'kysely'
import { mergeBlocks, mergeTarget } from '#dray/active-record/bulk.ts'
import { boundValue, columnName, readColumn, tableName } from '#dray/active-record/sql.ts'
import type { CopyBlock, Text } from '#dray/block/block.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import type { QueryOptions } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { bytesOfKey, hasKey } from '#dray/pipeline/texts/key-texts.ts'
import { cutToHeld } from './held-values.ts'
import { HistoryLayout } from './history-layout.ts'
import { isCurrent } from './open-versions.ts'

/**
 * Takes versions back that a run has begun though they say what the one before said: an older row of the key had come
 * in between. The one before goes on. In the open transaction of the target.
 */
export async function takeBackRepeats(
  pipeline: Pipeline,
  keys: readonly (readonly Text[])[],
  start: string,
  options: QueryOptions,
): Promise<void> {
  const layout = new HistoryLayout(pipeline)
  const at = (await cutToHeld(layout))?.(start) ?? start
  const repeats = repeatsAmong(layout, await versionsAround(layout, keys, at, options))
  if (repeats.length === 0) return
  const again: CopyBlock[] = []
  const encoder = new BlockEncoder()
  for (const { before } of repeats) {
    const full = encoder.push(layout.reopened(before))
    if (full !== null) again.push(full)
  }
  const rest = encoder.flush()
  if (rest !== null) again.push(rest)
  const deleted = await deleteVersions(
    layout,
    repeats.map(({ repeat }) => repeat),
    options,
  )
  const { target, by } = pipeline.load
  const into = mergeTarget(target.definition, 'upsert', { by: [...by, layout.fields.validFrom] })
  const { updated } = await mergeBlocks(layout.database, into, () => again, options)
  if (deleted === repeats.length && updated === repeats.length) return
  throw new TerminalError(
    `${pipeline.name}: ${repeats.length} versions in ${target.definition.database}.${target.definition.table} repeat the one before and could not be taken back (${deleted} were deleted, ${updated} opened again), so nothing was written; look for a trigger, a rule or a policy`,
  )
}

/** The current versions of these keys, and those that ended when the run began. */
async function versionsAround(
  layout: HistoryLayout,
  keys: readonly (readonly Text[])[],
  at: string,
  { signal }: QueryOptions,
): Promise<readonly (readonly Text[])[]> {
  const { definition } = layout.pipeline.load.target
  const to = layout.column(layout.to)
  const live = await bytesOfKey(layout.pipeline.load.target, layout.by)
  return layout.database.withConnection(async (connection, adapter) => {
    const { sql: text, parameters } = compile(
      adapter,
      sql`select ${sql.join(layout.columns.map((column) => readColumn(adapter, column)))} from ${tableName(definition)}
        where (${isCurrent(adapter, layout.pipeline.load)} or ${columnName(to)} = ${boundValue(adapter, to, at)}) and ${hasKey(adapter, layout.by, keys, live)}`,
    )
    return (await connection.query(text, parameters, { signal })).rows
  })
}

interface Repeat {
  readonly before: readonly Text[]
  readonly repeat: readonly Text[]
}

function repeatsAmong(layout: HistoryLayout, rows: readonly (readonly Text[])[]): Repeat[] {
  const ended = new Map(rows.filter((row) => !layout.isOpen(row)).map((row) => [layout.key(row), row]))
  return rows
    .filter((row) => layout.isOpen(row))
    .flatMap((repeat) => {
      const before = ended.get(layout.key(repeat))
      if (before === undefined || layout.text(before, layout.to) !== layout.text(repeat, layout.from)) return []
      return layout.differs(repeat, before) ? [] : [{ before, repeat }]
    })
}

async function deleteVersions(
  layout: HistoryLayout,
  rows: readonly (readonly Text[])[],
  { signal }: QueryOptions,
): Promise<number> {
  const { definition } = layout.pipeline.load.target
  const columns = [...layout.by, layout.column(layout.from)]
  const keys = rows.map((row) => [...layout.keyTexts(row), row[layout.from] ?? null])
  const live = await bytesOfKey(layout.pipeline.load.target, columns)
  return layout.database.withConnection(async (connection, adapter) => {
    const { sql: text, parameters } = compile(
      adapter,
      sql`delete from ${tableName(definition)} where ${hasKey(adapter, columns, keys, live)}`,
    )
    return (await connection.query(text, parameters, { signal })).affected
  })
}
