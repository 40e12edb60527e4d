import { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import { type ExecutionEnded, executionEnded } from '#dray/messages/events.ts'
import { createStateStore } from '#dray/state/dynamodb-state-store.ts'
import type { StateStore } from '#dray/state/state-store.ts'
import { settleRun } from '#dray/triggers/settle-run.ts'
import type { Handler } from './handler.ts'
import { endedRun } from './janitor.ts'
import { withInput } from './with-input.ts'
import { withLogging } from './with-logging.ts'
import { withNamedErrors } from './with-named-errors.ts'

const logger = new Logger({ serviceName: 'dray' })

let opened: StateStore | null = null

/**
 * The Lambda that cleans up after pipelines whose state machines a person has started, and which did not come to their
 * last state. What a workflow has started bears the name of that run, and is that workflow's janitor's.
 */
export function pipelineJanitorHandler(): Handler<ExecutionEnded, { readonly settled: boolean }> {
  return middy()
    .use(withLogging(logger, 'janitor'))
    .use(withNamedErrors())
    .use(withInput('janitor', executionEnded))
    .handler((event) => {
      opened ??= createStateStore()
      return settle(event as ExecutionEnded, opened)
    }) as unknown as Handler<ExecutionEnded, { readonly settled: boolean }>
}

async function settle({ detail }: ExecutionEnded, state: StateStore): Promise<{ readonly settled: boolean }> {
  const { id, reason } = endedRun(detail)
  const run = isOfWorkflow(detail.input) ? undefined : (await state.run(id))?.run
  if (run === undefined || reason === null) return { settled: false }
  await settleRun({ id, reason, now: Date.now(), pipelines: [run.workflow] }, state)
  return { settled: true }
}

function isOfWorkflow(given: string | null | undefined): boolean {
  try {
    return 'run' in JSON.parse(given ?? '{}')
  } catch {
    return false
  }
}
