import { camelCase } from '#dray/active-record/names.ts'
import { RECORD_TABLE } from '#dray/active-record/schema-apply.ts'
import type { LiveTable } from '#dray/database/adapter.ts'
import { GONE } from '#dray/messages/column-notes.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'

/** Who a pipeline is in the record of what was done to the tables of a database. */
export function recordedAs({ name }: Pick<Pipeline, 'name'>): string {
  return `the pipeline ${name}`
}

/** Says of columns that the pipeline has added to the target which the source does not have any more. */
export async function notesOfGone(
  pipeline: Pipeline,
  source: LiveTable | null,
  target: LiveTable | null,
): Promise<string[]> {
  const { extract, load } = pipeline
  const { database, definition } = load.target
  const alike = new Set((source?.columns ?? []).map(({ name }) => camelCase(name).toLowerCase()))
  const left = (target?.columns ?? []).filter(
    ({ name }) => !definition.columnNames.includes(name) && !alike.has(camelCase(name).toLowerCase()),
  )
  if (left.length === 0) return []
  const added = await database.withConnection(async (connection, adapter) => {
    if ((await connection.describe(RECORD_TABLE)) === null) return []
    const [table, by] = [adapter.placeholder(1), adapter.placeholder(2)]
    const { rows } = await connection.query(
      `select statement from ${adapter.quote(RECORD_TABLE)} where table_name = ${table} and applied_by = ${by}`,
      [definition.table, recordedAs(pipeline)],
    )
    return left.filter(({ name }) => rows.some(([text]) => text?.includes(` add column ${adapter.quote(name)} `)))
  })
  if (added.length === 0) return []
  const [from, to] = [extract.source.definition, definition].map((one) => `${one.database}.${one.table}`)
  const names = added.map(({ name }) => name).join(', ')
  const are = added.length === 1 ? 'is' : 'are'
  return [
    `${names} of ${to}, which this pipeline has added, ${are} ${GONE} (${from}): rows keep what they have there, and new ones have NULL; drop there what nobody needs`,
  ]
}
