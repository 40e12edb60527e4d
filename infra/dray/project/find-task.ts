import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Task } from 'dray/internal/pipeline/declare/task.ts'

/** The task of a folder of its name. Throws `Configuration` where that exports none. */
export async function findTask(folder: string, name: string): Promise<Task> {
  const module: Readonly<Record<string, unknown>> = await import(
    pathToFileURL(join(folder, 'functions', name, 'task.ts')).href
  )
  const found = Object.values(module).find((one) => {
    const { kind, name: own } = Object(one) as Partial<Task>
    return kind === 'task' && own === name
  })
  if (found !== undefined) return found as Task
  throw new ConfigurationError(
    `functions/${name}/task.ts exports no task ${name}, so nothing was done; write there: export const … = task('${name}', …).`,
  )
}
