import { isTableStep } from 'dray/internal/messages/step-name.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { plural } from './format.ts'

/** What tells rows apart cuts them, too. */
export function notesOfKey({ extract }: Pipeline, rows: number): readonly string[] {
  const { primaryKey, database, table } = extract.source.definition
  if (primaryKey.length > 0) return []
  return [
    `the model of ${database}.${table} has no primary key, so its rows are never split into partitions: one function reads all of them (${plural(rows, 'row')}), and begins again where it fails; mark the fields that tell rows apart as primaryKey()`,
  ]
}

/** Of a table of a replica: why it is read as it is, and what the next run changes in its copy. */
export async function notesOfTable(name: string): Promise<readonly string[]> {
  if (!isTableStep(name)) return []
  const { livePipeline } = await import('dray/internal/pipeline/replica/prepared-table.ts')
  const { unitNamed } = await import('./pipelines.ts')
  const unit = await unitNamed(name)
  if (unit.kind !== 'replica') return []
  const { table, isNew, notes, lookAtCopy } = await livePipeline(unit, name)
  const read = table.cursor === null ? `it reads all rows: ${table.why}` : `it reads ${table.why}`
  const made = isNew ? [`the next run makes the table ${unit.into.name}.${table.target}`] : []
  return [read, ...made, ...notes, ...(await lookAtCopy())]
}
