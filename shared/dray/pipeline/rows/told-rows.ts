import { columnOf } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import type { Outcome } from './outcome.ts'
import { WrittenKeys } from './written-keys.ts'

/** A transform says that a row is deleted, and nothing says what becomes of it. */
export class DeletesUnsaid extends TerminalError {}

/** What PostgreSQL takes for a moment or a day, and is none. */
const ENDLESS: ReadonlySet<unknown> = new Set(['infinity', '-infinity'])

/**
 * Whether a source row says by its flag that it is deleted; null where no flag is named. Throws `DataQuality` where it
 * is no value of its kind: a zero date and `infinity` mostly say that a row is not deleted, and are not NULL.
 */
export function flagOf({ extract, deletes }: Pipeline): ((row: readonly Text[]) => boolean) | null {
  if (deletes.flag === null) return null
  const { name, index, field } = columnOf(extract.source.definition, deletes.flag)
  const { kind, cast } = field.settings
  return (row) => {
    const text = row[index] ?? null
    if (text === null) return false
    const value = castFlag(cast, text)
    if (value === undefined || ENDLESS.has(value)) {
      throw new DataQualityError(
        name,
        'flag',
        `the flag ${name} is ${JSON.stringify(text)}, which does not say whether the row is deleted, so it was neither loaded nor deleted; let the source say ${kind === 'timestamp' || kind === 'date' ? `NULL or when it was` : 'true or false'}, or have the transform judge it: deletes: { told: true } and row.delete()`,
      )
    }
    return value !== false && value !== 0 && value !== 0n
  }
}

/** Undefined for what is no value of the field. */
function castFlag(cast: (text: string) => unknown, text: string): unknown {
  try {
    return cast(text)
  } catch (error) {
    if (error instanceof DataQualityError) return undefined
    throw error
  }
}

/** What becomes of a row that says that it is deleted: the target has it under the source's key. */
export function toldRows(pipeline: Pipeline): (row: readonly Text[]) => Outcome {
  const { name, deletes, extract } = pipeline
  const own = extract.source.definition.primaryKey.map((column) => column.name)
  const isOwn = own.length === deletes.key.length && own.every((field) => deletes.key.includes(field))
  const refused = unsaid(pipeline, isOwn)
  if (refused !== null) {
    return () => {
      throw new DeletesUnsaid(`${name}: the transform says row.delete() and ${refused}`)
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

/** Why no row may say that it is deleted; null where it may. */
function unsaid({ deletes, load }: Pipeline, isOwn: boolean): string | null {
  if (deletes.kind === 'ignore') {
    return 'the pipeline has no deletes, so nothing was loaded; say what becomes of the row: deletes: { told: true }, or { told: true, soft: field }'
  }
  if (!isOwn) {
    return `another row of the source may have the same ${load.goneBy.join(', ')}, so nothing was loaded; write the target by the source's primary key, or return null`
  }
  if (deletes.kind === 'soft' && deletes.saidBy === 'absence') {
    return `deletes: { soft: '${deletes.field}' } takes the mark from each row that the source has, so nothing was loaded; say deletes: { told: true, soft: '${deletes.field}' }, or return null`
  }
  return null
}
