import { columnOf } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import type { Outcome } from './outcome.ts'
import { WrittenKeys } from './written-keys.ts'

/** A transform says that a row is deleted, and nothing says what becomes of it. */
export class DeletesUnsaid extends TerminalError {}

/** Whether a source row says by its flag that it is deleted; null where no flag is named. */
export function flagOf({ extract, deletes }: Pipeline): ((row: readonly Text[]) => boolean) | null {
  if (deletes.flag === null) return null
  const { index, field } = columnOf(extract.source.definition, deletes.flag)
  const { kind, cast } = field.settings
  if (kind === 'timestamp' || kind === 'date') return (row) => row[index] != null
  return (row) => {
    const text = row[index] ?? null
    if (text === null) return false
    const value = cast(text)
    return value !== false && value !== 0 && value !== 0n
  }
}

/** What becomes of a row that says that it is deleted: the target has it under the source's key. */
export function toldRows(pipeline: Pipeline): (row: readonly Text[]) => Outcome {
  const { name, deletes, extract, load } = pipeline
  const own = extract.source.definition.primaryKey.map((column) => column.name)
  const isOwn = own.length === deletes.key.length && own.every((field) => deletes.key.includes(field))
  if (deletes.kind === 'ignore' || !isOwn) {
    return () => {
      throw new DeletesUnsaid(
        deletes.kind === 'ignore'
          ? `${name}: the transform says row.delete() and the pipeline has no deletes, so nothing was loaded; say what becomes of the row: deletes: { told: true }, or { told: true, soft: field }`
          : `${name}: the transform says row.delete(), and another row of the source may have the same ${load.goneBy.join(', ')}, so nothing was loaded; write the target by the source's primary key, or return null`,
      )
    }
  }
  const columns = columnsOf(extract.source.definition, deletes.key)
  const written = new WrittenKeys(pipeline)
  return (row) => {
    const missing = columns.find(({ index }) => row[index] == null)
    if (missing !== undefined) {
      const message =
        'the row says that it is deleted and has no whole key, so it is not known which row of the target it was'
      return { kind: 'quarantined', errors: [{ field: missing.name, code: 'missing', message }] }
    }
    return { kind: 'deleted', key: written.texts(columns.map(({ index }) => row[index] ?? null)) }
  }
}
