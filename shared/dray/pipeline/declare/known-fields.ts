import { ConfigurationError } from '#dray/errors.ts'
import type { Loading } from './loading.ts'

/** Throws `Configuration` for fields that the target does not have. The compiler says so of code that it has seen. */
export function refuseUnknownFields(pipeline: string, { kind, by, version, history, target }: Loading): void {
  const { database, table, byName } = target.definition
  const options = { by, version: version === null ? [] : [version], compare: history?.compare ?? [] }
  const unknown = Object.entries(options).flatMap(([option, fields]) =>
    fields.filter((field) => !byName.has(field)).map((field) => `${option} names "${field}"`),
  )
  if (unknown.length === 0) return
  throw new ConfigurationError(
    `pipeline('${pipeline}'): ${kind}(): ${unknown.join(', ')}, and the model of ${database}.${table} has no such field, so nothing was done; its fields are ${[...byName.keys()].join(', ')}`,
  )
}
