import type { Command } from 'commander'
import { requireLocal } from './environment.ts'
import type { RunOptions } from './run-options.ts'
import type { Verbs } from './verb.ts'
import {
  detachOption,
  INTERRUPT_HELP,
  isolatedOption,
  progressOption,
  requestOption,
  runIdOption,
  withCommonOptions,
  workflowOption,
} from './verb.ts'

export function addRun(program: Command, verbs: Verbs): void {
  withCommonOptions(program.command('run'))
    .description('run a workflow, or one pipeline of it')
    .argument('[workflow|pipeline]', 'the main workflow of infra/project.ts by default')
    .option('--demo', 'prepare the demo data of the project first, where it has some, in embedded databases alone')
    .option('--only <steps>', 'only these steps of the workflow, and none that they depend on: first,second')
    .option('--keys <keys>', 'only the source rows of these keys: 1,2,3, or JSON; last_run stays where it is')
    .addOption(workflowOption())
    .addOption(isolatedOption())
    .addOption(detachOption())
    .addOption(runIdOption())
    .addOption(requestOption())
    .addOption(progressOption())
    .addHelpText('after', INTERRUPT_HELP)
    .action(async (name: string | undefined, _options, command: Command) => {
      const options: RunOptions = command.optsWithGlobals()
      if (options.demo) requireLocal(options, '--demo')
      if (options.isolated) requireLocal(options, '--isolated')
      const { runCommand } = await import('./run-command.ts')
      verbs.exitCode = await runCommand(name, options)
    })
}
