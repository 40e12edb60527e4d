import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { newToken } from '../guard-server.ts'
import { fileOfEndpoint } from '../state-file.ts'
import type { Workers } from '../workers.ts'
import { type PutEvent, startEndpoints } from './endpoints.ts'
import { isolatedFunctions } from './functions.ts'
import type { InstanceListeners } from './instance.ts'
import { KeptObjects } from './kept-objects.ts'
import { type StateServer, startStateServer } from './state-server.ts'
import { createIsolatedWorkers } from './workers.ts'

export interface IsolationOptions extends InstanceListeners {
  readonly home: string
  /** Whose functions are bundled: all of them, as on AWS. */
  readonly project: LoadedProject
  /**
   * As the local services set it: `STATE_ENDPOINT`, `STATE_TABLE_NAME`, `<NAME>_DATABASE_URL`, and `STAGING_URL`, the
   * folder where quarantined rows are looked for afterwards.
   */
  readonly environment: NodeJS.ProcessEnv
  /** Whether the run needs what earlier ones have left in that folder, since it resumes one or replays its rows. */
  readonly needsEarlier?: boolean
  /** Calls at once; `min(cores, 8)` by default. */
  readonly size?: number
  readonly onEvent?: (event: PutEvent) => void
}

const BUCKET = 'staging'
const COMMIT = 'functions/dray/commit.ts'

/**
 * Runs the functions as on AWS: each as the bundle that is deployed, in its own processes with its own variables only,
 * staging in S3. Closing the workers ends all of it.
 */
export async function startIsolated(options: IsolationOptions): Promise<Workers> {
  const { home, project, environment, size = Math.min(availableParallelism(), 8) } = options
  const { STATE_ENDPOINT = '', STATE_TABLE_NAME = '', STAGING_URL = '' } = environment
  const state = await stateServer(STATE_ENDPOINT)
  const token = new URL(state.endpoint).username || newToken()
  const endpoints = await startEndpoints({ dynamodb: state.endpoint, token, bucket: BUCKET, onEvent: options.onEvent })
  const kept = new KeptObjects({ endpoint: endpoints.s3, token, bucket: BUCKET, folder: fileURLToPath(STAGING_URL) })
  try {
    if (options.needsEarlier) await kept.restore()
    const stagingUrl = `s3://${BUCKET}`
    const places = { stateTable: STATE_TABLE_NAME, stagingUrl, environment, endpoints: endpoints.variables }
    const functions = await isolatedFunctions(project, places, join(home, 'bundles'))
    const { onLog, onProgress } = options
    const workers = createIsolatedWorkers({ project, functions, size, onLog, onProgress, around: keeping(kept) })
    return {
      ...workers,
      readItems: (place) => kept.readItems(place),
      async close() {
        await workers.close()
        await kept.keep().finally(() => kept.close())
        await endpoints.stop()
        await state.stop()
      },
    }
  } catch (error) {
    kept.close()
    await endpoints.stop()
    await state.stop()
    throw error
  }
}

/** Functions as they are deployed speak to DynamoDB: the file of items is served to them, or a DynamoDB is there. */
async function stateServer(endpoint: string): Promise<StateServer> {
  const file = fileOfEndpoint(endpoint)
  return file === null ? { endpoint, stop: async () => {} } : startStateServer(file)
}

/**
 * What a run may need when this process is gone is kept before last_run moves past it, and plans as soon as there are
 * any.
 */
function keeping(kept: KeptObjects) {
  return {
    before: async (handler: string) => {
      if (handler === COMMIT) await kept.keep()
    },
    after: async (handler: string) => {
      if (handler === 'functions/dray/plan.ts' || handler === COMMIT) await kept.keep()
    },
  }
}
