import { ConfigurationError } from '#dray/errors.ts'
import type { RunMode } from '#dray/messages/run-mode.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'

/** Whether the target cannot tell a row that it has from a new one. */
export function loadsTwice({ load }: Pick<Pipeline, 'load'>): boolean {
  return load.kind === 'append' && load.by.length === 0
}

/** Whether an older row of a key is written beside the newer ones, as a version: never over one. */
export function keepsVersions({ load }: Pick<Pipeline, 'load'>): boolean {
  return load.history?.time === 'source' && load.version !== null
}

/** Throws `Configuration` for a run that would load rows twice. */
export function refuseToLoadTwice(pipeline: Pipeline, mode: RunMode | null): void {
  if (mode === null || 'replay' in mode || !loadsTwice(pipeline)) return
  const { database, table } = pipeline.load.target.definition
  throw new ConfigurationError(
    `${pipeline.name} appends to ${database}.${table}, which has no primary key to know a row by, so rows that are there already would be there twice and nothing was done; give the target's model a primary key, or delete the rows there and set last_run back with \`dray state set\``,
  )
}
