import { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import { type ExecutionEnded, executionEnded } from '#dray/messages/events.ts'
import { isTableStep } from '#dray/messages/step-name.ts'
import { createStateStore } from '#dray/state/dynamodb-state-store.ts'
import type { StateStore, StepRecord } from '#dray/state/state-store.ts'
import { settleRun } from '#dray/triggers/settle-run.ts'
import { StepFunctionsExecutions } from './executions.ts'
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
  const { id, reason, wasStopped = false } = endedRun(detail)
  const found = isOfWorkflow(detail.input) ? null : await state.run(id)
  if (found === null || reason === null) return { settled: false }
  const { run, steps } = found
  const tables = steps.some((step) => step.tables !== undefined) ? await stopTables(detail, steps, state) : []
  await settleRun({ id, reason, wasStopped, now: Date.now(), pipelines: [run.workflow, ...tables] }, state)
  return { settled: true }
}

/** What a replica has started: the service stops it too, if it can. Returns the tables that the run holds. */
async function stopTables(
  { name, stateMachineArn }: ExecutionEnded['detail'],
  steps: readonly StepRecord[],
  state: StateStore,
): Promise<readonly string[]> {
  const running = steps.filter(({ step, status }) => isTableStep(step) && status === 'running').map(({ step }) => step)
  if (running.length > 0 && stateMachineArn !== undefined) {
    const executions = new StepFunctionsExecutions(stateMachineArn)
    await executions.stopPipelines(name, running).finally(() => executions.close())
  }
  return (await state.pipelines()).filter(({ leaseOwner }) => leaseOwner === name).map(({ pipeline }) => pipeline)
}

function isOfWorkflow(given: string | null | undefined): boolean {
  try {
    return 'run' in JSON.parse(given ?? '{}')
  } catch {
    return false
  }
}
