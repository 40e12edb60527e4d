import type { Command } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import type { Unit } from '#dray-infra/project/unit-databases.ts'
import { type BackfillRange, confirmBackfill, MOST_UNASKED } from './backfill-size.ts'
import { commandFor, isLocal, requireLocal } from './environment.ts'
import { count } from './format.ts'
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

type BackfillOptions = RunOptions & BackfillRange

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
    .option('--yes', `do not ask, however many rows there are; more than ${count(MOST_UNASKED)} are asked about`)
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
  const { pipelineNamed, refuseWhole, unitNamed } = await import('./pipelines.ts')
  const { stepsNamed } = await import('#dray-infra/runs/asked-steps.ts')
  const { runAsked } = await import('./run-command.ts')
  const unit = await unitNamed(name)
  refuseWhole(unit, name)
  const { from, to, chunk } = options
  const refuseWithout = (pipeline: Pipeline) => refuseUnfit(pipeline, options)
  if (unit.kind === 'pipeline') await refuseWithout(unit)
  const asked = await stepsNamed(name, options.workflow)
  const mode = { backfill: { from, to, chunk } }
  return runAsked(async () => {
    // What a table reads by is known once its source can be asked; of an environment by Plan.
    if (unit.kind === 'replica' && isLocal(options)) await refuseWithout(await pipelineNamed(name))
    await confirmBackfill(name, options, async () => {
      if (!isLocal(options)) await bindRemote(options, unit)
      return pipelineNamed(name)
    })
    return { ...asked, mode, trigger: 'backfill' }
  }, options)
}

/** By the credentials of who runs the command, who may not reach the databases. */
async function bindRemote({ env }: BackfillOptions, unit: Unit): Promise<void> {
  const { bindSecrets, bindTokens } = await import('#dray-infra/remote/databases.ts')
  const { environmentNamed } = await import('#dray-infra/project/environments.ts')
  const { databasesOf } = await import('#dray-infra/project/unit-databases.ts')
  const settings = environmentNamed(env, await loadProject())
  bindTokens(settings)
  await bindSecrets(settings, databasesOf(unit))
}

/** Throws `Configuration` where there is no such range to load. */
async function refuseUnfit({ name, extract }: Pipeline, options: BackfillOptions): Promise<void> {
  const { instantOf } = await import('dray/internal/pipeline/texts/instant.ts')
  const { secondsOf } = await import('dray/internal/pipeline/declare/duration.ts')
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
  if (isByTime && (!/^\d{1,6}[smhd]$/.test(chunk) || secondsOf(chunk as '1d') === 0)) {
    throw new ConfigurationError(
      `--chunk "${chunk}" is not a length of time, so nothing was loaded; write 1h, 1d or 30d.`,
    )
  }
}
