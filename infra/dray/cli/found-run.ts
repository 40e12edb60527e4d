import { ConfigurationError } from 'dray/internal/errors.ts'
import type { RunDetail, StateStore } from 'dray/internal/state/state-store.ts'
import { commandFor } from './environment.ts'
import type { CommonOptions } from './verb.ts'

/** A run of the environment. Throws `Configuration` when there is none. */
export async function foundRun(state: StateStore, id: string, options: CommonOptions): Promise<RunDetail> {
  const detail = await state.run(id)
  if (detail) return detail
  throw new ConfigurationError(`There is no run ${id}; \`${commandFor(options, 'dray runs')}\` lists the runs.`)
}
