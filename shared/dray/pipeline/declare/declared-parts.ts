import { ConfigurationError } from '#dray/errors.ts'
import type { AnySource, AnyTarget } from './any-model.ts'
import type { Extraction } from './extraction.ts'
import type { Loading } from './loading.ts'

/** What a pipeline is made of, as far as somebody has written it. */
interface Parts {
  readonly extract?: Partial<Extraction<AnySource>>
  readonly transform?: unknown
  readonly load?: Partial<Loading<AnyTarget>>
}

/** The compiler says all of it first; a run strips the types and does not ask it. */
export function refuseUnlikeParts(name: string, options: object, known: readonly string[]): void {
  const refuse = (what: string) => new ConfigurationError(`pipeline('${name}'): ${what}`)
  const unknown = Object.keys(options).filter((option) => !known.includes(option))
  if (unknown.length > 0) {
    throw refuse(`${unknown.join(', ')} is no option, so what it says would not be done; there are ${known.join(', ')}`)
  }
  const { extract, transform, load } = options as Parts
  if (extract?.source === undefined) {
    throw refuse(
      'extract says nothing to read; write extract: fullLoad(<source>), or changedSince(<source>, { cursor })',
    )
  }
  if (typeof transform !== 'function') {
    throw refuse("transform is no function; write transform: (row) => ({ … }), with the target's fields")
  }
  if (load?.target === undefined) throw refuse('load says nothing to write; write load: upsert(<target>, { by })')
  const { database, table, readOnly } = load.target.definition
  if (readOnly) {
    throw refuse(
      `load writes ${database}.${table}, whose model is a source and only read, so nothing was done; give it a model of database('${database}').table('${table}', …)`,
    )
  }
  const read = extract.source.definition
  if (load.kind !== 'upsert' && read?.query === undefined && read?.database === database && read.table === table) {
    throw refuse(
      `${database}.${table} is read and written, so ${load.kind}() would write its rows from themselves; give the target another table`,
    )
  }
  if (load.kind === 'upsert' && load.by?.length === 0) {
    throw refuse(
      'upsert(): by names no field, so no row could be found again; name those of a unique key of the target',
    )
  }
}
