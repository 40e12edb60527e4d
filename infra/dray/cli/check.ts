import type { Command } from 'commander'
import { type CheckResult, isRefusing } from 'dray/internal/messages/check-result.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { print } from './output.ts'
import { checkDocument, checksOf } from './shown-checks.ts'
import { type CommonOptions, printJson, type Verbs, withCommonOptions } from './verb.ts'

/** What the checks of one pipeline, or of a task, have come to. */
interface CheckedStep {
  readonly step: string
  readonly checks: readonly CheckResult[]
}

export function addCheck(program: Command, verbs: Verbs): void {
  withCommonOptions(program.command('check'))
    .description('ask the checks of tables, of all their rows; reads alone, and moves no last_run')
    .argument(
      '[pipeline]',
      'a pipeline, a replica with all of its tables, one of these, or a task; all that have checks when left out',
    )
    .action(async (name: string | undefined, _options, command: Command) => {
      verbs.exitCode = await run(name, command.optsWithGlobals())
    })
}

/** Exits with 1 when a check does not hold that may not fail. */
async function run(name: string | undefined, options: CommonOptions): Promise<ExitCode> {
  const steps: CheckedStep[] = []
  for (const one of name === undefined ? await namesWithChecks() : [name]) steps.push(...(await checked(one, options)))
  const failed = steps.flatMap(({ checks }) => checks.filter(isRefusing))
  if (options.json) {
    printJson('check', {
      status: failed.length === 0 ? 'success' : 'failed',
      steps: steps.map(({ step, checks }) => ({ step, checks: checks.map(checkDocument) })),
    })
  } else print(text(steps, name))
  return failed.length === 0 ? exitCodes.ok : exitCodes.failed
}

async function checked(name: string, options: CommonOptions): Promise<readonly CheckedStep[]> {
  const { withTask, withUnit } = await import('./environment.ts')
  const { isTableStep } = await import('dray/internal/messages/step-name.ts')
  const { pipelineNamed, taskNames } = await import('./pipelines.ts')
  if ((await taskNames()).includes(name)) {
    const { checkTask } = await import('dray/internal/pipeline/checks/check-task.ts')
    return [{ step: name, checks: await withTask(options, name, (task, { signal }) => checkTask(task, signal)) }]
  }
  const { checkWholeTable } = await import('dray/internal/pipeline/checks/check-pipeline.ts')
  return withUnit(options, name, async (unit, services) => {
    if (unit.kind === 'replica' && !isTableStep(name)) {
      const { checkTables } = await import('dray/internal/pipeline/inspect/check-replica.ts')
      return checkTables(unit, services)
    }
    const one = unit.kind === 'pipeline' ? unit : await pipelineNamed(name)
    return [{ step: name, checks: await checkWholeTable(one, services) }]
  })
}

async function namesWithChecks(): Promise<string[]> {
  const { taskNames, taskNamed, unitNamed, unitNames } = await import('./pipelines.ts')
  const { hasChecks } = await import('dray/internal/pipeline/inspect/check-replica.ts')
  const names: string[] = []
  for (const name of await unitNames()) {
    const unit = await unitNamed(name)
    if (unit.kind === 'replica' ? hasChecks(unit) : unit.checks.length > 0) names.push(name)
  }
  for (const name of await taskNames()) if ((await taskNamed(name)).checks.length > 0) names.push(name)
  return names
}

function text(steps: readonly CheckedStep[], name: string | undefined): string {
  const lines = checksOf(steps)
  if (lines.length > 0) return `${lines.map((line) => line.trim()).join('\n')}\n`
  const what = name === undefined ? 'No pipeline and no task has' : `${name} has no`
  return `${what} checks; declare them as docs/checks.md says.\n`
}
