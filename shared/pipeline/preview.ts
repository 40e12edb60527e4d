import { type RawBuilder, sql } from 'kysely'
import { bulkColumns } from '#shared/active-record/bulk.ts'
import { type Text, timestampOf, type ValidationError } from '#shared/active-record/index.ts'
import { columnName, compile, readColumn, tableName, where } from '#shared/active-record/sql.ts'
import { draft } from './draft.ts'
import { partitionConditions } from './partitions.ts'
import type { Pipeline } from './pipeline.ts'
import { byColumn } from './quarantine.ts'
import type { SourceKey } from './run-mode.ts'
import type { Services } from './services.ts'
import { rowTransformer } from './transform-rows.ts'

/** A source row beside what the transform makes of it. */
export interface PreviewedRow {
  readonly outcome: 'loaded' | 'filtered' | 'quarantined'
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
}

export interface Preview {
  readonly rows: readonly PreviewedRow[]
  /** Sentences for a person. */
  readonly notes: readonly string[]
}

/** Transforms the first rows that the next run would read, or any where it would read none; writes nothing. */
export async function preview(pipeline: Pipeline, options: PreviewOptions, services: Services): Promise<Preview> {
  const { extract } = pipeline
  const drafted = await draft(
    pipeline,
    options.keys ? { keys: options.keys } : null,
    { id: 'preview', lastRun: options.lastRun },
    services,
  )
  const notes = [...drafted.notes]
  const isEmpty = drafted.rows === 0 && !options.keys
  if (isEmpty) notes.push('the next run would read no row; these are rows that have been read before')
  const rows = await extract.source.database.withConnection(async (connection, adapter) => {
    const [first] = isEmpty ? [] : drafted.partitions
    const conditions =
      first === undefined ? [] : partitionConditions(extract, drafted, { ...first, upTo: null }, adapter)
    const { sql: text, parameters } = compile(adapter, selection(pipeline, conditions, options.limit, adapter))
    return (await connection.query(text, parameters, { signal: services.signal })).rows
  })
  return { rows: previewed(pipeline, rows, services), notes }
}

function selection(
  { extract }: Pipeline,
  conditions: readonly RawBuilder<unknown>[],
  limit: number,
  adapter: Parameters<typeof compile>[0],
): RawBuilder<unknown> {
  const { definition } = extract.source
  const key = definition.primaryKey.map(columnName)
  const order = key.length === 0 ? sql`` : sql` order by ${sql.join(key)}`
  return sql`select ${sql.join(definition.columns.map((column) => readColumn(adapter, column)))} from ${tableName(definition)}${where(conditions)}${order} limit ${sql.raw(String(limit))}`
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
