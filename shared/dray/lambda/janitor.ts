import { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import { type ExecutionEnded, type JanitorInput, janitorInput } from '#dray/messages/events.ts'
import { checked } from '#dray/messages/message.ts'
import { runInput } from '#dray/messages/run-input.ts'
import { type EndedRun, endRun } from '#dray/triggers/end-run.ts'
import { withLeasedTables } from '#dray/triggers/leased-tables.ts'
import { sweep } from '#dray/triggers/sweep.ts'
import type { Handler } from './handler.ts'
import { notifyOfEnd } from './notify-of-end.ts'
import { observe } from './observe.ts'
import { tellLineage } from './tell-lineage.ts'
import { withInput } from './with-input.ts'
import { plainLog, withLogging } from './with-logging.ts'
import { withNamedErrors } from './with-named-errors.ts'
import { type TriggerContext, withTriggerServices } from './with-trigger-services.ts'

export interface JanitorOutput {
  /** The run that it started, or null. */
  readonly started: string | null
}

const logger = new Logger({ serviceName: 'dray' })
const log = plainLog(logger)

/**
 * The Lambda that cleans up after executions, starts the run that waited for them, and watches how late a workflow is.
 */
export function janitorHandler(): Handler<JanitorInput, JanitorOutput> {
  return middy()
    .use(withLogging(logger, 'janitor'))
    .use(withNamedErrors())
    .use(withInput('janitor', janitorInput))
    .use(withTriggerServices())
    .handler((event, context) =>
      clean(event as JanitorInput, context as unknown as TriggerContext),
    ) as unknown as Handler<JanitorInput, JanitorOutput>
}

async function clean(event: JanitorInput, context: TriggerContext): Promise<JanitorOutput> {
  const { services, replicas } = context
  const workflow = await withLeasedTables(context.workflow, replicas, services.state)
  if ('sweep' in event) {
    const started = await sweep(workflow, services)
    await observe(workflow, replicas, services)
    return { started }
  }
  const ended = endedRun(event.detail)
  const wasOpen = (await services.state.run(ended.id))?.run.status === 'running'
  const started = await endRun(workflow, ended, services)
  const detail = wasOpen && ended.reason !== null ? await services.state.run(ended.id) : null
  if (detail !== null) await tellLineage({ log }, (lineage) => lineage.stopped(detail, { now: services.now, log }))
  await notifyOfEnd(workflow, ended.id, event.detail.status, services)
  return { started }
}

export function endedRun({ name, status, startDate, input: given, error, cause }: ExecutionEnded['detail']): EndedRun {
  return {
    id: name,
    startTime: startDate,
    runner: 'stepfunctions',
    reason: reason(),
    wasStopped: status === 'ABORTED',
    ...askedIn(given),
  }

  function reason(): string | null {
    if (status === 'SUCCEEDED') return null
    const why = [error, cause].filter(Boolean).join(': ')
    const what = { FAILED: 'failed', TIMED_OUT: 'timed out', ABORTED: 'was aborted' }[status]
    return `The execution ${what}${why ? `: ${why}` : ''}.`
  }
}

/** What an execution was asked to do; of an input that is not one, nothing. */
function askedIn(given: string | null | undefined): Pick<EndedRun, 'trigger' | 'mode' | 'only'> {
  const found = checked(runInput, jsonOf(given ?? '{}'))
  if ('fault' in found) return { trigger: 'manual' }
  const { trigger, mode, only = null } = found.data
  return { trigger, mode: mode === undefined ? null : JSON.stringify(mode), only }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
