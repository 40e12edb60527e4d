import type { Logger } from '@aws-lambda-powertools/logger'
import type { MiddlewareObj } from '@middy/core'
import type { Services } from '#dray/pipeline/services.ts'
import type { HandlerContext } from './deadline.ts'

/** The parts of a payload that say where it belongs. */
interface Located {
  readonly run?: { readonly id?: string; readonly workflow?: string }
  readonly pipeline?: string
  readonly task?: string
  readonly partition?: number
}

/** One JSON line when a step starts, ends or fails, with run, step and partition; never a row or a payload. */
export function withLogging(logger: Logger, step: string): MiddlewareObj<Located, unknown, Error, HandlerContext> {
  const startedAt = new WeakMap<object, number>()
  return {
    before: ({ event, context }) => {
      startedAt.set(context, performance.now())
      logger.resetKeys()
      // It has not been checked yet: it may be null.
      const { run, pipeline, task, partition } = event ?? {}
      logger.appendKeys({
        run: run?.id,
        workflow: run?.workflow,
        pipeline: pipeline ?? task,
        step,
        partition,
        request_id: context.awsRequestId,
      })
      logger.info('started')
    },
    after: ({ context }) => {
      logger.info('succeeded', { milliseconds: elapsed(startedAt.get(context)) })
    },
    onError: ({ error, context }) => {
      logger.error('failed', {
        milliseconds: elapsed(startedAt.get(context)),
        error_name: error?.name,
        error_message: error?.message,
        stack: error?.stack,
      })
    },
  }
}

/** The logger as the steps of a pipeline know it. */
export function plainLog(logger: Logger): Services['log'] {
  return {
    info: (message, details) => logger.info(message, details ?? {}),
    warn: (message, details) => logger.warn(message, details ?? {}),
  }
}

function elapsed(startedAt: number | undefined): number {
  return startedAt === undefined ? 0 : Math.round(performance.now() - startedAt)
}
