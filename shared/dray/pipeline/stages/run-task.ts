import { withDeadline } from '#dray/database/deadline.ts'
import type { CheckResult } from '#dray/messages/check-result.ts'
import { sumOfSpent } from '#dray/messages/spent.ts'
import type { TaskInput } from '#dray/messages/stages.ts'
import { refuseFailed } from '#dray/pipeline/checks/check-pipeline.ts'
import { checkTask, prepareTask } from '#dray/pipeline/checks/check-task.ts'
import type { Task, TaskResult } from '#dray/pipeline/declare/task.ts'
import { chainOf, succeededIn } from '#dray/pipeline/plan/resumed-runs.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { emptyStep, type StepRecord } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { enterRun } from './enter-run.ts'

type Worked = TaskResult & { readonly checks?: readonly CheckResult[] }

/**
 * Runs a task's work, asks its checks and records the step: that it has begun, so that it is known whatever becomes of
 * the run; why it failed, until Finish or the janitor says how it ended; its success.
 */
export async function runTask(task: Task, input: TaskInput, services: Services): Promise<TaskResult> {
  const { run, mode = null } = input
  const startTime = services.now()
  await enterRun(input, services)
  const doneBy = succeededIn(await chainOf(mode, services), task.name)
  const notes = doneBy === null ? null : [`run ${doneBy} has done this step already, so nothing was done`]
  const { checks, ...result }: Worked = doneBy === null ? await work(task, input, { ...services, startTime }) : {}
  const endTime = services.now()
  await services.state.putStep({
    ...emptyStep(run.id, task.name),
    ...result,
    ...checksAndOwner(task, checks),
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
): Promise<Worked> {
  const begun = { ...emptyStep(run.id, task.name), ...checksAndOwner(task, undefined), startTime }
  await state.putStep(begun)
  let checks: Worked['checks']
  try {
    return await withDeadline(signal, async () => {
      await prepareTask(task)
      const done = await task.work({ run, runStartedAt: startOf(run), signal })
      checks = await checkTask(task, signal)
      refuseFailed(task.name, checks, consequenceOf(run))
      return { ...done, checks }
    })
  } catch (error) {
    const said = { ...sumOfSpent([spent?.()]), ...checksAndOwner(task, checks), error: String(error) }
    // It may be tried again. That it cannot be written must not hide why the task failed.
    await state.putStep({ ...begun, ...said }).catch(() => {})
    throw error
  }
}

function consequenceOf({ id }: TaskInput['run']): string {
  return `What the task has written stays, and the steps behind it do not start: \`npx dray runs show ${id}\` names the first rows; when they are mended, \`npx dray resume ${id}\` does the task's work and asks again`
}

function checksAndOwner({ owner }: Task, checks: Worked['checks']): Pick<StepRecord, 'checks' | 'owner'> {
  return {
    ...(checks === undefined || checks.length === 0 ? {} : { checks }),
    ...(owner === null ? {} : { owner }),
  }
}
