import { columnOf } from '#dray/active-record/table-definition.ts'
import type { Timestamp } from '#dray/active-record/values.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'

/** What a load adds to each row that a transform has made; null when it adds nothing. */
export function managedAttributes(
  { load, deletes }: Pipeline,
  runStartedAt: Timestamp,
): Readonly<Record<string, unknown>> | null {
  if (load.history !== null) {
    const { validFrom, validTo, current, time, open } = load.history
    const start = time === 'source' ? {} : { [validFrom]: runStartedAt }
    return { ...start, [validTo]: open, ...(current === null ? {} : { [current]: true }) }
  }
  if (deletes.kind !== 'soft' || deletes.field === null) return null
  // The source has the row, so it is not deleted, or not any more.
  const { kind } = columnOf(load.target.definition, deletes.field).field.settings
  return { [deletes.field]: kind === 'boolean' ? false : null }
}
