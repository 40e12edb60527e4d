import { bulkColumns } from 'dray/internal/active-record/bulk.ts'
import type { ColumnDefinition } from 'dray/internal/active-record/table-definition.ts'
import type { ValidationError } from 'dray/internal/active-record/validations.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import type { Text } from 'dray/internal/block/block.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { managedAttributes } from 'dray/internal/pipeline/rows/managed-attributes.ts'
import type { Outcome } from 'dray/internal/pipeline/rows/outcome.ts'
import { rowTransformer } from 'dray/internal/pipeline/rows/transform-rows.ts'

/** When a run starts of which a test says nothing. */
export const NOW = '2026-01-01 00:00:00'

export interface ColumnText {
  readonly column: ColumnDefinition
  readonly text: Text
}

/** What became of a source row; never a database asked. */
export interface Verdict {
  readonly kind: Outcome['kind']
  /** The target row, of one that is loaded; a column that the database fills is not in it. */
  readonly row: readonly ColumnText[]
  readonly findings: readonly ValidationError[]
  readonly errors: readonly ValidationError[]
}

/** The fields that the load fills by itself: `touch()`, and what it keeps of versions or marks as deleted. */
export function filledByLoad(pipeline: Pipeline): ReadonlySet<string> {
  const managed = Object.keys(managedAttributes(pipeline, timestampOf(NOW)) ?? {})
  return new Set([...pipeline.load.target.definition.touched.map(({ name }) => name), ...managed])
}

/** Makes the function that sends a source row through a pipeline's transform and the rules of its target, as a run. */
export function judge(pipeline: Pipeline, now: string): (row: readonly Text[]) => Verdict {
  const transformRow = rowTransformer(pipeline, timestampOf(now))
  const columns = bulkColumns(pipeline.load.target.definition)
  return (row) => {
    const outcome = transformRow(row)
    const isLoaded = outcome.kind === 'loaded'
    return {
      kind: outcome.kind,
      row: isLoaded ? columns.map((column, place) => ({ column, text: outcome.texts[place] ?? null })) : [],
      findings: isLoaded ? outcome.findings : [],
      errors: outcome.kind === 'quarantined' ? outcome.errors : [],
    }
  }
}
