import { hash } from 'node:crypto'
import type { Text } from '#dray/block/block.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keepsVersions, loadsTwice } from '#dray/pipeline/plan/rows-again.ts'
import type { QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { HELD_OTHERWISE } from '#dray/pipeline/rows/transform-rows.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'

/** The fields of a row that are kept as hexadecimal, which must not be taken for what was there. */
export function damagedFields({ errors }: QuarantinedRow): string[] {
  return errors.filter(({ code }) => HELD_OTHERWISE.has(code)).map(({ field }) => field)
}

/** The source's key of a quarantined row, as the source writes it; null where there is none, or not all of it. */
export function sourceKeyOf({ extract }: Pipeline, row: QuarantinedRow): string[] | null {
  const { primaryKey } = extract.source.definition
  const damaged = damagedFields(row)
  const texts = primaryKey.map(({ name, column }): Text => (damaged.includes(name) ? null : (row.row[column] ?? null)))
  return texts.length === 0 || texts.includes(null) ? null : (texts as string[])
}

/**
 * Which row an entry is of, whichever run has quarantined it: its key, or where each version of a row is a row of the
 * target, and where there is no key, all of it.
 */
export function identityOf(pipeline: Pipeline, row: QuarantinedRow): string {
  const key = loadsTwice(pipeline) || keepsVersions(pipeline) ? null : keyTextOf(pipeline, row)
  return hash('sha256', key ?? JSON.stringify(Object.entries(row.row).sort())).slice(0, 16)
}

/** The same as one text, for maps. */
export function keyTextOf(pipeline: Pipeline, row: QuarantinedRow): string | null {
  const key = sourceKeyOf(pipeline, row)
  return key === null ? null : keyOf(key)
}
