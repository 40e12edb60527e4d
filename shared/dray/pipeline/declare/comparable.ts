import { ConfigurationError } from '#dray/errors.ts'
import type { AnySource, AnyTarget } from './any-model.ts'
import type { Extraction } from './extraction.ts'
import type { Loading } from './loading.ts'

/** A pipeline, as far as it says by which keys its rows are known. */
export interface ComparedPipeline {
  readonly name: string
  readonly extract: Pick<Extraction, 'source'>
  readonly load: Pick<Loading, 'kind' | 'by'>
}

/**
 * Throws `Configuration` for a pipeline whose source cannot be compared with its target, row by row: one of them has no
 * key.
 */
export function checkComparable({ name, extract, load }: ComparedPipeline): void {
  const faults = [
    ...(extract.source.definition.primaryKey.length > 0
      ? []
      : [`${placeOf(extract.source)} has no key; mark the fields of its model that tell rows apart with primaryKey()`]),
    ...(load.by.length > 0
      ? []
      : [
          `${load.kind}() goes by no key of the target; mark the fields of its model with primaryKey(), or write with upsert()`,
        ]),
  ]
  if (faults.length === 0) return
  throw new ConfigurationError(
    `${name}: source and target need a key each to be compared, so nothing was: ${faults.join('; ')}`,
  )
}

function placeOf({ definition }: AnySource | AnyTarget): string {
  return `${definition.database}.${definition.table}`
}
