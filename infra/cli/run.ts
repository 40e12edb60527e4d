import type { Command } from 'commander'
import { requireLocal } from './target.ts'
import type { CommonOptions, ProgressMode, Verbs } from './verb.ts'
import {
  detachOption,
  interruptHelp,
  isolatedOption,
  progressOption,
  withCommonOptions,
  workflowOption,
} from './verb.ts'

export interface RunOptions extends CommonOptions {
  readonly demo?: boolean
  /** Keys of source rows, as they were typed. */
  readonly keys?: string
  /** Steps of the workflow, as they were typed. */
  readonly only?: string
  /** The workflow of a pipeline that several have. */
  readonly workflow?: string
  /** Runs the bundles of the functions, each in a process of its own. */
  readonly isolated?: boolean
  /** Leaves a run of a deployed environment as soon as it is started. */
  readonly detach?: boolean
  readonly progress: ProgressMode
}

export function addRun(program: Command, verbs: Verbs): void {
  withCommonOptions(program.command('run'))
    .description('run a workflow, or one pipeline of it')
    .argument('<workflow|pipeline>')
    .option('--demo', 'fill the embedded databases with demo data first; later runs apply a day of changes')
    .option('--only <steps>', 'only these steps of the workflow, and none that they depend on: orders,data-mart')
    .option('--keys <keys>', 'only the source rows of these keys: 1,2,3, or JSON; last_run stays where it is')
    .addOption(workflowOption())
    .addOption(isolatedOption())
    .addOption(detachOption())
    .addOption(progressOption())
    .addHelpText('after', interruptHelp)
    .action(async (name: string, _options, command: Command) => {
      const options: RunOptions = command.optsWithGlobals()
      if (options.demo) requireLocal(options, '--demo')
      if (options.isolated) requireLocal(options, '--isolated')
      const { runCommand } = await import('./run-command.ts')
      verbs.exitCode = await runCommand(name, options)
    })
}
