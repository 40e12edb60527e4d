import type { CheckResult } from '#dray/messages/check-result.ts'
import type { Task } from '#dray/pipeline/declare/task.ts'
import { askChecks } from './ask-checks.ts'
import { prepareChecks } from './prepare-checks.ts'

/** Asks the checks of the tables that a task writes. */
export async function checkTask(
  { checks }: Pick<Task, 'checks'>,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = []
  for (const { model, checks: own } of checks) {
    const answers = await askChecks(own, { target: model, scopeOf: () => 'table', before: null, signal })
    results.push(...answers.results)
  }
  return results
}

/** Throws `Terminal` for a check that a database does not take. */
export async function prepareTask({ name, checks }: Pick<Task, 'name' | 'checks'>): Promise<void> {
  for (const { model, checks: own } of checks) await prepareChecks(name, own, model)
}
