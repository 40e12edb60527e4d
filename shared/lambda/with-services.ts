import type { Logger } from '@aws-lambda-powertools/logger'
import type { MiddlewareObj } from '@middy/core'
import type { Progress, Services } from '#shared/pipeline/index.ts'
import { createStagingStore } from '#shared/staging/staging-url.ts'
import { createStateStore } from '#shared/state/dynamodb-state-store.ts'
import { resolveDatabaseSecrets } from './database-secrets.ts'
import { deadlineOf, type HandlerContext } from './deadline.ts'

declare global {
  /** Installed by the local runner's workers. */
  var drayProgress: ((progress: Progress) => void) | undefined
}

/** What a handler finds in its context. */
export type ServicesContext = HandlerContext & { services: Services }

type Stores = Pick<Services, 'state' | 'staging'>
let stores: Promise<Stores> | null = null

/** Opened by the first call and kept for the life of the Lambda. */
function openStores(): Promise<Stores> {
  stores ??= (async () => ({
    state: createStateStore(),
    staging: await createStagingStore(process.env.STAGING_URL ?? ''),
  }))().catch((error: unknown) => {
    stores = null
    throw error
  })
  return stores
}

/** Puts into the context what the steps of a pipeline work with. */
export function withServices(logger: Logger): MiddlewareObj<unknown, unknown, Error, ServicesContext> {
  return {
    before: async ({ context }) => {
      await resolveDatabaseSecrets()
      context.services = {
        ...(await openStores()),
        signal: deadlineOf(context),
        now: Date.now,
        log: {
          info: (message, details) => logger.info(message, details ?? {}),
          warn: (message, details) => logger.warn(message, details ?? {}),
        },
        progress: (progress) => globalThis.drayProgress?.(progress),
        runner: process.env.DRAY_RUNNER ?? 'stepfunctions',
      }
    },
  }
}
