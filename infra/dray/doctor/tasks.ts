import { type Checked, found } from 'dray/internal/database/health.ts'
import { prepareTask } from 'dray/internal/pipeline/checks/check-task.ts'
import { isSqlTask, type Task } from 'dray/internal/pipeline/declare/task.ts'
import { attempt } from 'dray/internal/pipeline/inspect/attempt.ts'
import type { PipelineSurroundings } from 'dray/internal/pipeline/inspect/examine-pipeline.ts'
import { examineSqlTask } from 'dray/internal/pipeline/sql-task/inspect-sql-task.ts'

type Surroundings = Pick<PipelineSurroundings, 'isConnected' | 'makesTargets'>

/** By the name of the task: the checks that its databases do not take, and a SELECT that does not fit its table. */
export async function examineTasks(
  tasks: readonly Task[],
  surroundings: Surroundings,
): Promise<ReadonlyMap<string, readonly Checked[]>> {
  const examined = new Map<string, readonly Checked[]>()
  for (const task of tasks) examined.set(task.name, await examineTask(task, surroundings))
  return examined
}

async function examineTask(task: Task, { isConnected, makesTargets }: Surroundings): Promise<readonly Checked[]> {
  const names = [...new Set(task.checks.map(({ model }) => model.definition.database))]
  const away = names.filter((name) => !isConnected(name))
  const what = isSqlTask(task) ? 'SELECT' : 'checks'
  if (away.length > 0) {
    const said = `its ${what} ${isSqlTask(task) ? 'was' : 'were'} not looked at, since ${away.join(' and ')} cannot be connected to (above)`
    return [found(what.toLowerCase(), 'unknown', said)]
  }
  return attempt(what.toLowerCase(), task.name, async () => {
    if (isSqlTask(task)) return examineSqlTask(task, { makesTargets })
    await prepareTask(task)
    return []
  })
}
