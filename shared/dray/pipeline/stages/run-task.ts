import { withDeadline } from '#dray/database/deadline.ts'
import { sumOfSpent } from '#dray/messages/spent.ts'
import type { TaskInput } from '#dray/messages/stages.ts'
import type { Task, TaskResult } from '#dray/pipeline/declare/task.ts'
import { chainOf, succeededIn } from '#dray/pipeline/plan/resumed-runs.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { emptyStep } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { enterRun } from './enter-run.ts'

/**
 * Runs a task's work and records the step: that it has begun, so that it is known whatever becomes of the run; why it
 * failed, until Finish or the janitor says how it ended; its success.
 */
export async function runTask(task: Task, input: TaskInput, services: Services): Promise<TaskResult> {
  const { run, mode = null } = input
  const startTime = services.now()
  await enterRun(input, services)
  const doneBy = succeededIn(await chainOf(mode, services), task.name)
  const notes = doneBy === null ? null : [`run ${doneBy} has done this step already, so nothing was done`]
  const result = doneBy === null ? await work(task, input, { ...services, startTime }) : {}
  const endTime = services.now()
  await services.state.putStep({
    ...emptyStep(run.id, task.name),
    ...result,
    notes,
    status: 'success',
    startTime,
    endTime,
    executionTimeSeconds: (endTime - startTime) / 1000,
    ...sumOfSpent([services.spent?.()]),
  })
  return result
}

async function work(
  task: Task,
  { run }: TaskInput,
  { state, signal, startTime, spent }: Services & { readonly startTime: number },
): Promise<TaskResult> {
  const begun = { ...emptyStep(run.id, task.name), startTime }
  await state.putStep(begun)
  try {
    const done = await withDeadline(signal, async () => task.work({ run, runStartedAt: startOf(run), signal }))
    return done ?? {}
  } catch (error) {
    // It may be tried again. That it cannot be written must not hide why the task failed.
    await state.putStep({ ...begun, ...sumOfSpent([spent?.()]), error: String(error) }).catch(() => {})
    throw error
  }
}
