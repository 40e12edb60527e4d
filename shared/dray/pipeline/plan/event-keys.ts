import { ConfigurationError } from '#dray/errors.ts'
import type { KeysMode } from '#dray/messages/run-mode.ts'
import type { PlanInput } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keysOf } from './keys.ts'
import { loadsTwice } from './rows-again.ts'

/**
 * The keys that events of the pipeline's entity name, for a run that only events have asked for; null where the run is
 * to read its window: when a schedule or a person has asked, too, when the events give no keys or a window, or keys
 * that the source cannot have, and where the window's rows would be loaded once more.
 */
export function modeOfEvents(pipeline: Pipeline, { run, entities }: PlanInput): KeysMode | null {
  const { entity, extract } = pipeline
  if (loadsTwice(pipeline)) return null
  const change = entity === null ? undefined : entities?.[entity]
  if (change === undefined || change.window !== null || change.keys === 'all' || change.keys.length === 0) return null
  if (!run.trigger.split(',').every((one) => one.startsWith('event:'))) return null
  try {
    keysOf(extract, change.keys)
  } catch (error) {
    if (error instanceof ConfigurationError) return null
    throw error
  }
  return { keys: change.keys }
}
