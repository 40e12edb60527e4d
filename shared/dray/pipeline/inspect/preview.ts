import { type RawBuilder, sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import { columnName, tableName, where } from '#dray/active-record/sql.ts'
import type { ValidationError } from '#dray/active-record/validations.ts'
import { timestampOf } from '#dray/active-record/values.ts'
import type { Text } from '#dray/block/block.ts'
import { compile } from '#dray/database/statement.ts'
import type { SourceKey } from '#dray/messages/run-mode.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { columnsToCome, notesOfNewColumns } from '#dray/pipeline/landing/follow-columns.ts'
import { newColumns } from '#dray/pipeline/plan/new-columns.ts'
import { partitionConditions } from '#dray/pipeline/plan/partitions.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import { type SourceTable, sourceTable } from '#dray/pipeline/plan/source-table.ts'
import { withColumns } from '#dray/pipeline/rows/followed-columns.ts'
import { RowSizes, withoutLengths } from '#dray/pipeline/rows/large-values.ts'
import { byColumn } from '#dray/pipeline/rows/quarantined-row.ts'
import { rowTransformer } from '#dray/pipeline/rows/transform-rows.ts'
import { draftRun } from '#dray/pipeline/stages/draft-run.ts'
import type { SeenNumbers } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'

/** A source row beside what the transform makes of it. */
export interface PreviewedRow {
  readonly outcome: 'loaded' | 'filtered' | 'deleted' | 'quarantined'
  /** By column, as the source's own text. */
  readonly source: Readonly<Record<string, Text>>
  /** By column of the target; null unless it would be loaded. */
  readonly target: Readonly<Record<string, Text>> | null
  readonly findings: readonly ValidationError[]
  /** Why it would be quarantined. */
  readonly errors: readonly ValidationError[]
}

export interface PreviewOptions {
  readonly limit: number
  /** The rows of these keys instead of those of the next run. */
  readonly keys?: readonly SourceKey[] | null
  readonly lastRun: string | null
  readonly seen?: SeenNumbers | null
}

export interface Preview {
  readonly rows: readonly PreviewedRow[]
  /** Sentences for a person. */
  readonly notes: readonly string[]
}

/** Transforms the first rows that the next run would read, or any where it would read none; writes nothing. */
export async function preview(declared: Pipeline, options: PreviewOptions, services: Services): Promise<Preview> {
  const found = await newColumns(declared)
  const pipeline = withColumns(declared, columnsToCome(found))
  const { extract } = pipeline
  const drafted = await draftRun(
    pipeline,
    options.keys ? { keys: options.keys } : null,
    { id: 'preview', lastRun: options.lastRun, seen: options.seen ?? null },
    services,
  )
  const notes = [...notesOfNewColumns(declared, found), ...drafted.notes]
  const isEmpty = drafted.rows === 0 && !options.keys
  if (isEmpty) notes.push('the next run would read no row; these are rows that have been read before')
  const rows = await extract.source.database.withConnection(async (connection, adapter) => {
    const [first] = isEmpty ? [] : drafted.partitions
    const table = await sourceTable(extract, connection, adapter)
    const conditions =
      first === undefined
        ? ownRows(extract, table)
        : partitionConditions(extract, drafted, { ...first, upTo: null }, table)
    const { sql: text, parameters } = compile(adapter, selection(pipeline, conditions, options.limit, table))
    const { rows } = await connection.query(text, parameters, { signal: services.signal })
    return rows.map((row) => withoutLengths(row, extract.source.definition.columns))
  })
  return { rows: previewed(pipeline, rows, services), notes }
}

function selection(
  { extract, limits }: Pipeline,
  conditions: readonly RawBuilder<unknown>[],
  limit: number,
  table: SourceTable,
): RawBuilder<unknown> {
  const { definition } = extract.source
  const key = definition.primaryKey.map(columnName)
  const order = key.length === 0 ? sql`` : sql` order by ${sql.join(key)}`
  const read = new RowSizes(definition.columns, table, limits).columnsUpTo(limits.valueBytes, definition.primaryKey)
  return sql`select ${sql.join(read)} from ${tableName(definition)}${where(conditions)}${order} limit ${sql.raw(String(limit))}`
}

function previewed(pipeline: Pipeline, rows: readonly (readonly Text[])[], { now }: Services): PreviewedRow[] {
  const transformRow = rowTransformer(pipeline, timestampOf(new Date(now()).toISOString()))
  const sourceColumns = pipeline.extract.source.definition.columnNames
  const targetColumns = bulkColumns(pipeline.load.target.definition).map(({ column }) => column)
  return rows.map((row): PreviewedRow => {
    const outcome = transformRow(row)
    const isLoaded = outcome.kind === 'loaded'
    return {
      outcome: outcome.kind,
      source: byColumn(sourceColumns, row),
      target: isLoaded ? byColumn(targetColumns, outcome.texts) : null,
      findings: isLoaded ? outcome.findings : [],
      errors: outcome.kind === 'quarantined' ? outcome.errors : [],
    }
  })
}
