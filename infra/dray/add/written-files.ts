import { timestampOf } from 'dray/internal/active-record/values.ts'
import type { Text } from 'dray/internal/block/block.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { rowTransformer } from 'dray/internal/pipeline/rows/transform-rows.ts'
import type { AddedTable } from './added-table.ts'
import type { FileChanges } from './file-changes.ts'
import { sourceModelText, targetModelText } from './model-text.ts'
import { addModel, type ModelsFile } from './models-file.ts'
import { handlerText, pipelineText } from './pipeline-text.ts'
import { testText } from './test-text.ts'

/** Rows that a test keeps: one, and one with NULLs elsewhere. */
const KEPT_ROWS = 2

export interface Files {
  readonly source: ModelsFile
  readonly target: ModelsFile
}

/** Writes the models, the pipeline, its handlers and its test. */
export function writeTable(
  changes: FileChanges,
  added: AddedTable,
  live: Pipeline,
  files: Files,
  isMasked: boolean,
): void {
  if (!added.hasSourceModel) addModel(changes, files.source, sourceModelText(added, files.source.database))
  addModel(changes, files.target, targetModelText(added, files.target.database))
  const folder = `functions/${added.pipeline}`
  const specifiers = { source: files.source.specifier, target: files.target.specifier }
  changes.writeNew(`${folder}/pipeline.ts`, pipelineText(added, specifiers))
  for (const stage of ['extract', 'transform', 'load'] as const) {
    changes.writeNew(`${folder}/${stage}.ts`, handlerText(stage, added.constant))
  }
  changes.writeNew(`${folder}/pipeline.test.ts`, testText(added, { rows: keptRows(added, live), isMasked }))
}

/** Rows that would be loaded, of which no two have the same NULLs. */
function keptRows({ rows }: AddedTable, live: Pipeline): readonly (readonly Text[])[] {
  const transform = rowTransformer(live, timestampOf('2026-01-01 00:00:00'))
  const byNulls = new Map<string, readonly Text[]>()
  for (const row of rows) {
    const nulls = row.map((text) => (text === null ? '-' : '+')).join('')
    if (!byNulls.has(nulls) && transform(row).kind === 'loaded') byNulls.set(nulls, row)
  }
  return [...byNulls.values()].slice(0, KEPT_ROWS)
}
