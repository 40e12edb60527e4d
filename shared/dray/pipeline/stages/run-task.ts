import { withDeadline } from '#dray/database/deadline.ts'
import type { TaskInput } from '#dray/messages/stages.ts'
import type { Task, TaskResult } from '#dray/pipeline/declare/task.ts'
import { chainOf, succeededIn } from '#dray/pipeline/plan/resumed-runs.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { emptyStep } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { enterRun } from './enter-run.ts'

/** Runs a task's work and records the step. */
export async function runTask(task: Task, input: TaskInput, services: Services): Promise<TaskResult> {
  const { run, mode = null } = input
  const startTime = services.now()
  await enterRun(input, services)
  const doneBy = succeededIn(await chainOf(mode, services), task.name)
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
