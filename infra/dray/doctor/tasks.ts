import { type Checked, found } from 'dray/internal/database/health.ts'
import { prepareTask } from 'dray/internal/pipeline/checks/check-task.ts'
import type { Task } from 'dray/internal/pipeline/declare/task.ts'
import { attempt } from 'dray/internal/pipeline/inspect/attempt.ts'
import type { PipelineSurroundings } from 'dray/internal/pipeline/inspect/examine-pipeline.ts'

/** By the name of the task: the checks that its databases do not take. */
export async function examineTasks(
  tasks: readonly Task[],
  surroundings: Pick<PipelineSurroundings, 'isConnected'>,
): Promise<ReadonlyMap<string, readonly Checked[]>> {
  const examined = new Map<string, readonly Checked[]>()
  for (const task of tasks) examined.set(task.name, await examineTask(task, surroundings))
  return examined
}

async function examineTask(
  task: Task,
  { isConnected }: Pick<PipelineSurroundings, 'isConnected'>,
): Promise<readonly Checked[]> {
  const names = [...new Set(task.checks.map(({ model }) => model.definition.database))]
  const away = names.filter((name) => !isConnected(name))
  if (away.length > 0) {
    const said = `its checks were not looked at, since ${away.join(' and ')} cannot be connected to (above)`
    return [found('checks', 'unknown', said)]
  }
  return attempt('checks', task.name, async () => {
    await prepareTask(task)
    return []
  })
}
