import { withDeadline } from '#dray/database/deadline.ts'
import type { CheckResult } from '#dray/messages/check-result.ts'
import { sumOfSpent } from '#dray/messages/spent.ts'
import type { TaskInput } from '#dray/messages/stages.ts'
import { refuseFailed } from '#dray/pipeline/checks/check-pipeline.ts'
import { checkTask, prepareTask } from '#dray/pipeline/checks/check-task.ts'
import { isSqlTask, type Task, type TaskResult, type TaskWork } from '#dray/pipeline/declare/task.ts'
import { chainOf, succeededIn } from '#dray/pipeline/plan/resumed-runs.ts'
import { runSqlTask, type SqlTaskRun } from '#dray/pipeline/sql-task/run-sql-task.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { emptyStep, type StepRecord } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { enterRun } from './enter-run.ts'

/** What is recorded of the work, beside its rows. */
type Worked = TaskResult & Partial<Pick<StepRecord, 'checks' | 'notes' | 'gone' | 'lastRunBefore' | 'lastRunAfter'>>

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
  const worked: Worked = doneBy === null ? await work(task, input, { ...services, startTime }) : { notes }
  const endTime = services.now()
  await services.state.putStep({
    ...emptyStep(run.id, task.name),
    ...worked,
    ...checksAndOwner(task, worked.checks),
    status: 'success',
    startTime,
    endTime,
    executionTimeSeconds: (endTime - startTime) / 1000,
    ...sumOfSpent([services.spent?.()]),
  })
  return rowsOf(worked)
}

async function work(
  task: Task,
  input: TaskInput,
  services: Services & { readonly startTime: number },
): Promise<Worked> {
  const { run } = input
  const { state, signal, startTime, spent } = services
  const begun = { ...emptyStep(run.id, task.name), ...checksAndOwner(task, undefined), startTime }
  await state.putStep(begun)
  let checks: Worked['checks']
  try {
    return await withDeadline(signal, async () => {
      if (isSqlTask(task)) {
        const onChecks = (results: readonly CheckResult[]) => {
          checks = results
        }
        return { ...recorded(await runSqlTask({ task, input, services, onChecks })), ...(checks && { checks }) }
      }
      await prepareTask(task)
      const done = await (task.work as TaskWork)({ run, runStartedAt: startOf(run), signal })
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

/** As far as the work has said how many there were. */
function rowsOf(worked: Worked): TaskResult {
  const terms = ['read', 'inserted', 'updated', 'unchanged', 'deleted'] as const
  return Object.fromEntries(terms.flatMap((term) => (worked[term] === undefined ? [] : [[term, worked[term]]])))
}

/** Rows that the SELECT has no more were not read. */
function recorded({ notes, deleted, ...rest }: SqlTaskRun): Worked {
  return { ...rest, deleted, gone: deleted, notes: notes.length === 0 ? null : notes }
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
