import { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import { stageInputs } from '#dray/messages/stages.ts'
import type { Services } from '#dray/pipeline/services.ts'
import { useDatabaseTokens } from './database-tokens.ts'
import type { HandlerContext } from './deadline.ts'
import { withInput } from './with-input.ts'
import { withLogging } from './with-logging.ts'
import { withMetrics } from './with-metrics.ts'
import { withNamedErrors } from './with-named-errors.ts'
import { withServices } from './with-services.ts'

/** A Lambda handler; locally the same function is called with the same payload. */
export type Handler<Input, Output> = (event: Input, context: HandlerContext) => Promise<Output>

useDatabaseTokens()

const logger = new Logger({ serviceName: 'dray' })

/** The stack around every step: input checked, services opened, structured logs, errors named. */
export function handlerOf<Input, Output>(
  step: keyof typeof stageInputs,
  work: (input: Input, services: Services) => Promise<Output>,
): Handler<Input, Output> {
  const stack = middy()
    .use(withLogging(logger, step))
    .use(withMetrics(step))
    .use(withNamedErrors())
    .use(withInput(step, stageInputs[step]))
    .use(withServices(logger, step !== 'extract' && step !== 'transform'))
    .handler((event, context) => work(event as Input, context.services))
  return stack as unknown as Handler<Input, Output>
}
