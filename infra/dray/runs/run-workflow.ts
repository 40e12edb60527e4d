import { join } from 'node:path'
import type { RunInput, RunRequest } from 'dray/internal/messages/run-input.ts'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { FinishInput } from 'dray/internal/messages/stages.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { everyFunction, toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import type { Workers } from '#dray-infra/local/workers.ts'
import { projectFolder } from '#dray-infra/project/project-folder.ts'
import { type ExecutionResult, execute, type HistoryEvent, realClock } from '#dray-infra/states-language/index.ts'
import { checkedDefinitions } from './checked-definitions.ts'
import { localRunner } from './run-lock.ts'
import { type RunProgress, stepOf } from './run-progress.ts'
import { type RunResult, resultOf } from './run-result.ts'
import { settleRun } from './settle-run.ts'
import { readStagedItems } from './staged-items.ts'

export interface RunOptions {
  readonly id: string
  readonly workflow: Workflow
  /** Where the paths of its handlers begin; the project at work unless told. */
  readonly folder?: string
  /** The steps to run; null for all of them. */
  readonly only?: readonly string[] | null
  /** Of replicas among them only these tables; null for all. */
  readonly tables?: readonly string[] | null
  /** What to do instead of a usual run. */
  readonly mode?: RunMode | null
  /** `manual` unless told. */
  readonly trigger?: string
  /** What events have told of it. */
  readonly request?: Pick<RunRequest, 'events' | 'entities' | 'causation'>
  readonly state: StateStore
  readonly workers: Workers
  readonly progress: RunProgress
  /** Ends the run: handlers are aborted and roll back, leases are given back. */
  readonly signal: AbortSignal
}

/** Runs a workflow's state machine in this process, its handlers in threads; resolves however the run ends. */
export async function runWorkflow(options: RunOptions): Promise<RunResult> {
  const {
    id,
    workflow,
    folder = projectFolder,
    state,
    workers,
    signal,
    only = null,
    tables = null,
    mode = null,
    trigger = 'manual',
    request,
  } = options
  const start = Date.now()
  const compiled = toStatesLanguage(workflow)
  const { definition, machines, notes } = compiled
  const checked = checkedDefinitions(compiled)
  const handlers = new Map(everyFunction(compiled).map((reference) => [reference.placeholder, reference]))
  let outcomes: FinishInput['steps'] = {}
  const started = new Set<string>()
  await state.startRun({
    id,
    workflow: workflow.name,
    startTime: start,
    runner: localRunner(),
    trigger,
    mode: mode === null ? null : JSON.stringify(mode),
    only,
    tables,
  })
  const execution = await execute(
    definition,
    {
      trigger,
      ...(only === null ? {} : { only }),
      ...(tables === null ? {} : { tables }),
      ...(mode === null ? {} : { mode }),
      ...(request === undefined
        ? {}
        : { events: request.events, entities: request.entities, causation: request.causation }),
    } satisfies RunInput,
    {
      executionName: id,
      stateMachineName: workflow.name,
      machines,
      isChecked: checked.isChecked,
      clock: realClock,
      signal,
      readItems: (place) => (workers.readItems ?? readStagedItems)(place),
      onEvent: (event) => follow(event, workflow.name, options.progress),
      executor: {
        async invoke(functionName, payload, { signal: taskSignal, timeoutSeconds }) {
          const reference = handlers.get(functionName)
          if (!reference)
            throw new Error(`The definition names the function ${functionName}, which the workflow does not have.`)
          if (reference.handler.endsWith('/finish.ts')) outcomes = (payload as FinishInput).steps
          const call = { handler: reference.handler, payload }
          started.add(stepOf(payload))
          options.progress.called(call)
          const output = await workers
            .invoke({
              file: join(folder, reference.handler),
              functionName,
              payload,
              timeoutSeconds: Math.min(timeoutSeconds, reference.timeoutSeconds),
              signal: taskSignal,
            })
            .catch((error: Error) => {
              options.progress.failed(call, error)
              throw error
            })
          options.progress.returned(call, output)
          return output
        },
      },
    },
  )
  if (!checked.isChecked) checked.remember()
  const interrupted = execution.status === 'ABORTED'
  await workers.idle()
  // Finish has ended the run, unless it was not reached or failed itself.
  if (execution.status !== 'SUCCEEDED') await settleRun(state, id, whyEnded(execution))
  const seconds = (Date.now() - start) / 1000
  const names = workflow.steps.map((step) => step.name).filter((name) => only?.includes(name) ?? true)
  const result = resultOf(
    {
      id,
      workflow: workflow.name,
      only,
      asked: tables,
      seconds,
      interrupted,
      started,
      notes: only === null ? notes : [],
    },
    names,
    await state.run(id),
    outcomes,
  )
  for (const step of result.steps) options.progress.ended(step.step, step.status, step.error)
  return result
}

/** What no call tells: that a step will not be tried again. */
function follow(event: HistoryEvent, workflow: string, progress: RunProgress): void {
  if (event.type !== 'state-entered') return
  const { machine, state, input } = event
  if (machine !== workflow && (state === 'Failed' || state === 'Refused')) {
    progress.ended(machine, state === 'Failed' ? 'failed' : 'refused', reasonIn(input))
  }
  const [, task] = /^(.+): (?:task )?failed$/.exec(state) ?? []
  if (machine === workflow && task !== undefined) {
    progress.ended((input as { step?: string }).step ?? task, 'failed', reasonIn(input))
  }
}

/** The error that was caught on the way into a state, as the outcome of its step will say it. */
function reasonIn(input: unknown): string | null {
  const { Error: name, Cause: cause } = (input as { error?: { Error?: string; Cause?: string } }).error ?? {}
  if (!name) return null
  try {
    return `${name}: ${JSON.parse(cause ?? '').errorMessage}`
  } catch {
    return `${name}: ${cause}`
  }
}

function whyEnded({ status, error, cause }: ExecutionResult) {
  return status === 'ABORTED'
    ? { reason: 'The run was interrupted; what had not been loaded whole was rolled back.', wasStopped: true }
    : { reason: `${error}: ${cause}` }
}
