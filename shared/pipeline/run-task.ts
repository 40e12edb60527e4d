import { withDeadline } from '#shared/active-record/index.ts'
import { emptyStep } from '#shared/state/state-store.ts'
import type { TaskInput } from './events.ts'
import { resumedRuns, succeededIn } from './run-mode.ts'
import { startOf } from './run-time.ts'
import type { Services } from './services.ts'
import type { Task, TaskResult } from './task.ts'

/** Runs a task's work and records the step. */
export async function runTask(task: Task, input: TaskInput, services: Services): Promise<TaskResult> {
  const { run, mode = null } = input
  const startTime = services.now()
  await services.state.startRun({
    id: run.id,
    workflow: run.workflow,
    startTime: Date.parse(run.started_at),
    runner: services.runner,
    trigger: run.trigger,
    mode: mode === null ? null : JSON.stringify(mode),
    only: input.only ?? null,
  })
  const doneBy = mode !== null && 'resume' in mode ? await earlierSuccess(task, mode.resume, services) : null
  const notes = doneBy === null ? null : [`run ${doneBy} has done this step already, so nothing was done`]
  const result =
    doneBy !== null
      ? {}
      : ((await withDeadline(services.signal, async () =>
          task.work({ run, runStartedAt: startOf(run), signal: services.signal }),
        )) ?? {})
  const endTime = services.now()
  await services.state.putStep({
    ...emptyStep(run.id, task.name),
    ...result,
    notes,
    status: 'success',
    startTime,
    endTime,
    executionTimeSeconds: (endTime - startTime) / 1000,
  })
  return result
}

async function earlierSuccess(task: Task, runId: string, { state }: Services): Promise<string | null> {
  return succeededIn(await resumedRuns(state, runId), task.name)
}
