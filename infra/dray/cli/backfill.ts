import type { Command } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { commandFor, requireLocal } from './environment.ts'
import type { RunOptions } from './run-options.ts'
import {
  detachOption,
  INTERRUPT_HELP,
  isolatedOption,
  progressOption,
  type Verbs,
  withCommonOptions,
  workflowOption,
} from './verb.ts'

interface BackfillOptions extends RunOptions {
  readonly from: string
  readonly to: string
  readonly chunk: string
}

export function addBackfill(program: Command, verbs: Verbs): void {
  withCommonOptions(program.command('backfill'))
    .description('load a range of the cursor again, chunk after chunk; last_run stays where it is')
    .argument('<pipeline>')
    .requiredOption(
      '--from <time>',
      'the start, such as 2024-01-01 or 2024-01-01T12:00:00Z (UTC); a number of a counter',
    )
    .requiredOption('--to <time>', 'the end, which is not part of the range')
    .option('--chunk <length>', 'how much is loaded in one transaction, such as 1h, 1d, 30d', '1d')
    .addOption(workflowOption())
    .addOption(isolatedOption())
    .addOption(detachOption())
    .addOption(progressOption())
    .addHelpText('after', INTERRUPT_HELP)
    .action(async (pipeline: string, _options, command: Command) => {
      const options: BackfillOptions = command.optsWithGlobals()
      if (options.isolated) requireLocal(options, '--isolated')
      verbs.exitCode = await backfill(pipeline, options)
    })
}

async function backfill(name: string, options: BackfillOptions) {
  const { pipelineAlone, pipelineNamed } = await import('./pipelines.ts')
  const { instantOf } = await import('dray/internal/pipeline/texts/instant.ts')
  const { secondsOf } = await import('dray/internal/pipeline/declare/duration.ts')
  const { runAsked } = await import('./run-command.ts')
  const { extract } = await pipelineNamed(name)
  if (extract.cursor === null || extract.cursor.kind === 'xid') {
    const command = (text: string) => `\`${commandFor(options, text)}\``
    const [reads, instead] =
      extract.cursor === null
        ? ['its whole source in each run', `${command(`dray run ${name}`)} loads everything`]
        : [
            'by the numbers of transactions',
            `\`--keys\` loads single rows, ${command('dray state reset')} has all rows read once more`,
          ]
    throw new ConfigurationError(
      `${name} reads ${reads}, so it has no range of time to load again and nothing was done; ${instead}.`,
    )
  }
  const { from, to, chunk } = options
  const isByTime = extract.cursor.kind === 'timestamp'
  if (isByTime && instantOf(from, '--from') >= instantOf(to, '--to')) {
    throw new ConfigurationError(`--from ${from} is not before --to ${to}, so there is nothing between them to load.`)
  }
  if (isByTime) secondsOf(chunk as '1d')
  const asked = await pipelineAlone(name, options.workflow)
  const mode = { backfill: { from, to, chunk } }
  return runAsked(async () => ({ ...asked, mode, trigger: 'backfill' }), options)
}
