import type { Logger } from '@aws-lambda-powertools/logger'
import type { MiddlewareObj } from '@middy/core'
import { closeDatabases } from '#dray/active-record/database.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Progress, Services } from '#dray/pipeline/services.ts'
import type { StagingStore } from '#dray/staging/staging-store.ts'
import { createStagingStore } from '#dray/staging/staging-url.ts'
import { openItemTable } from '#dray/state/open-item-table.ts'
import type { StateStore } from '#dray/state/state-store.ts'
import { resolveDatabaseSecrets } from './database-secrets.ts'
import { deadlineOf, type HandlerContext } from './deadline.ts'
import { plainLog } from './with-logging.ts'

declare global {
  /** Installed by the local runner's workers. */
  var drayProgress: ((progress: Progress) => void) | undefined
}

/** What a handler finds in its context. */
export type ServicesContext = HandlerContext & { services: Services }

let state: StateStore | null = null
let staging: Promise<StagingStore> | null = null

/** Opened by the first call and kept for the life of the Lambda. */
async function openState(): Promise<StateStore> {
  if (state !== null) return state
  const [{ TableStateStore }, table] = await Promise.all([import('#dray/state/table-state-store.ts'), openItemTable()])
  state = new TableStateStore(table)
  return state
}

function openStaging(): Promise<StagingStore> {
  staging ??= createStagingStore(process.env.STAGING_URL ?? '').catch((error: unknown) => {
    staging = null
    throw error
  })
  return staging
}

/** For steps that have no business with `last_run` or metrics: their roles do not allow it either. */
const NO_STATE = new Proxy({} as StateStore, {
  get: () => () =>
    Promise.reject(
      new TerminalError('extract and transform have no access to the state; plan, load, commit and finish have'),
    ),
})

/** In whole ms, as Lambda bills a call; nothing where no memory is billed. */
function spentSince(startedAt: number): Pick<Services, 'spent'> {
  const megabytes = Number(process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE)
  if (!(megabytes > 0)) return {}
  return { spent: () => ({ calls: 1, megabyte_ms: Math.ceil(performance.now() - startedAt) * megabytes }) }
}

/**
 * A function that stays warm would keep its connections for as long, whether it is called again or not: of five
 * functions a pipeline, each with as many instances as partitions were at work, a server of 100 connections has no
 * other left after some pipelines. Opening them anew costs a call some 10 ms.
 */
async function giveConnectionsBack(logger: Logger): Promise<void> {
  if (process.env.AWS_LAMBDA_FUNCTION_NAME === undefined) return
  await closeDatabases().catch((error: unknown) => {
    logger.warn('a connection could not be closed, and stays until this function ends', { error: String(error) })
  })
}

/** Puts into the context what the steps of a pipeline work with. */
export function withServices(
  logger: Logger,
  needsState: boolean,
): MiddlewareObj<unknown, unknown, Error, ServicesContext> {
  return {
    before: async ({ context }) => {
      const startedAt = performance.now()
      // All at once: what one imports is read while another waits for the network.
      const [state, staging] = await Promise.all([
        needsState ? openState() : null,
        openStaging(),
        resolveDatabaseSecrets(),
      ])
      context.services = {
        state: state ?? NO_STATE,
        staging,
        signal: deadlineOf(context),
        now: Date.now,
        log: plainLog(logger),
        timeLeft: () => context.getRemainingTimeInMillis(),
        progress: (progress) => globalThis.drayProgress?.(progress),
        runner: process.env.DRAY_RUNNER ?? 'stepfunctions',
        ...spentSince(startedAt),
      }
    },
    after: () => giveConnectionsBack(logger),
    onError: () => giveConnectionsBack(logger),
  }
}
