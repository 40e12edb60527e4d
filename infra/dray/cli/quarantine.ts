import type { Command } from 'commander'
import { requireLocal } from './environment.ts'
import { limitOption, numberOption } from './limit-option.ts'
import {
  type ChoiceOptions,
  type DiscardOptions,
  discard,
  type PruneOptions,
  prune,
  replay,
} from './quarantine-close.ts'
import { findings, type ListOptions, list, type ShowOptions, show } from './quarantine-show.ts'
import type { RunOptions } from './run-options.ts'
import {
  detachOption,
  INTERRUPT_HELP,
  isolatedOption,
  progressOption,
  runIdOption,
  type Verbs,
  withCommonOptions,
  workflowOption,
} from './verb.ts'

/** Rows that are shown unless more are asked for. */
const SHOWN = 20

export function addQuarantine(program: Command, verbs: Verbs): void {
  const verb = program.command('quarantine').description('rows that could not be transformed or loaded, kept whole')
  addShowing(verb)
  addClosing(verb, verbs)
}

function addShowing(verb: Command): void {
  withCommonOptions(verb.command('list', { isDefault: true }))
    .description('the runs that have quarantined rows which are open, and how many')
    .argument('[pipeline]')
    .option('--all', 'closed rows, too: landed, replayed, superseded, discarded')
    .action((pipeline: string | undefined, _options, command: Command) =>
      list(pipeline, command.optsWithGlobals<ListOptions>()),
    )
  withCommonOptions(verb.command('show'))
    .description('open rows with the reason')
    .argument('<run|pipeline|id>', 'a run, a pipeline, or the id of a row')
    .option('--all', 'closed rows, too')
    .option('--limit <n>', 'at most so many', limitOption, SHOWN)
    .action((of: string, _options, command: Command) => show(of, command.optsWithGlobals<ShowOptions>()))
  withCommonOptions(verb.command('findings'))
    .description('rows that were loaded with something wrong in a value: counts by field and code, or the rows')
    .argument('[run|pipeline|id]', 'the rows of a run, of a pipeline, or one row; without it the counts')
    .option('--limit <n>', 'at most so many rows', limitOption, SHOWN)
    .action((of: string | undefined, _options, command: Command) =>
      findings(of, command.optsWithGlobals<ShowOptions>()),
    )
}

function addClosing(verb: Command, verbs: Verbs): void {
  withChoice(withCommonOptions(verb.command('replay')))
    .description('send rows through the transform and the load of now; never overwrites a newer row')
    .addOption(workflowOption())
    .addOption(isolatedOption())
    .addOption(detachOption())
    .addOption(runIdOption())
    .addOption(progressOption())
    .addHelpText('after', INTERRUPT_HELP)
    .action(async (pipeline: string, _options, command: Command) => {
      const options: ChoiceOptions & RunOptions = command.optsWithGlobals()
      if (options.isolated) requireLocal(options, '--isolated')
      verbs.exitCode = await replay(pipeline, options)
    })
  withChoice(withCommonOptions(verb.command('discard')))
    .description('give rows up: they are kept, and are not replayed any more')
    .option('--reason <text>', 'why', 'discarded by hand')
    .option('--yes', 'do it')
    .action((pipeline: string, _options, command: Command) =>
      discard(pipeline, command.optsWithGlobals<DiscardOptions>()),
    )
  withCommonOptions(verb.command('prune'))
    .description('remove what was closed some time ago for good; open rows stay, whatever their age')
    .argument('[pipeline]')
    .option('--days <n>', 'what was closed so many days ago', numberOption('--days'), 30)
    .option('--yes', 'do it')
    .action((pipeline: string | undefined, _options, command: Command) =>
      prune(pipeline, command.optsWithGlobals<PruneOptions>()),
    )
}

function withChoice(command: Command): Command {
  return command
    .argument('<pipeline>')
    .option('--run <run>', 'only rows that this run has quarantined')
    .option('--id <id...>', 'only the rows of these ids')
}
