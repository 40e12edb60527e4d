import type { SqlTask } from '#dray/pipeline/declare/task.ts'
import { setMark } from '#dray/pipeline/landing/mark.ts'
import { migrateTarget } from '#dray/pipeline/landing/migrate.ts'
import type { Services } from '../services.ts'
import { refuseWithoutWindow } from './window.ts'

/** Sets `last_run` of a task by hand (null: forgets it), and its mark in the warehouse. Throws as that of pipelines. */
export async function setTaskLastRun(
  task: SqlTask,
  lastRun: string | null,
  { state, now }: Pick<Services, 'state' | 'now'>,
): Promise<void> {
  refuseWithoutWindow(task)
  const { database } = task.work.into
  await migrateTarget(database)
  await database.transaction(async () => {
    const known = await state.pipeline(task.name)
    await setMark(database, task.name, lastRun, known?.epoch ?? 0)
    await state.setLastRun(task.name, lastRun, now())
  })
}
