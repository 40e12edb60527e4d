import { ConfigurationError, TransientError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { setMark } from '#dray/pipeline/landing/mark.ts'
import { migrateTarget } from '#dray/pipeline/landing/migrate.ts'
import { checkSource } from '#dray/pipeline/plan/source-identity.ts'
import type { Services } from '../services.ts'

/**
 * Sets `last_run` by hand (null: forgets it), for the source and the target that are bound now. Throws `LeaseHeld`
 * while a run is on; then, and where one of the databases cannot be reached, nothing is changed.
 */
export async function setLastRun(
  pipeline: Pipeline,
  lastRun: string | null,
  { state, now }: Pick<Services, 'state' | 'now'>,
): Promise<void> {
  const { database } = pipeline.load.target
  try {
    const { source } = lastRun === null ? { source: null } : await checkSource(pipeline, null, null)
    await migrateTarget(database)
    await database.transaction(async () => {
      const known = await state.pipeline(pipeline.name)
      await setMark(database, pipeline.name, lastRun, known?.epoch ?? 0)
      const keysUntil = known?.source?.keysUntil
      const kept = source === null || keysUntil === undefined ? source : { ...source, keysUntil }
      await state.setLastRun(pipeline.name, lastRun, now(), kept)
    })
  } catch (error) {
    throw explained(error, pipeline)
  }
}

function explained(error: unknown, { name, extract, load }: Pipeline): unknown {
  if (!(error instanceof ConfigurationError || error instanceof TransientError)) return error
  const [source, target] = [extract.source.definition.database, load.target.definition.database]
  const message = `${error.message}. last_run of ${name} belongs to its source ${source} and its target ${target}, which both have to be reached to set it; it was left as it is`
  return error instanceof TransientError
    ? new TransientError(message, { cause: error })
    : new ConfigurationError(message, { cause: error })
}
