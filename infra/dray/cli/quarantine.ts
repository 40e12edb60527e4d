import { userInfo } from 'node:os'
import type { Command } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { KeptRow } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import type { Stores } from '#dray-infra/runs/stores.ts'
import { commandFor, requireLocal, withStores } from './environment.ts'
import { limitOption } from './limit-option.ts'
import { listText, rowDocument, rowsText, summaries, summaryDocument } from './quarantine-report.ts'
import type { RunOptions } from './run-options.ts'
import {
  type CommonOptions,
  detachOption,
  INTERRUPT_HELP,
  isolatedOption,
  printJson,
  progressOption,
  type Verbs,
  withCommonOptions,
  workflowOption,
} from './verb.ts'

interface ChoiceOptions extends CommonOptions {
  readonly run?: string
  readonly id?: readonly string[]
}

interface ShowOptions extends CommonOptions {
  readonly limit: number
}

interface DiscardOptions extends ChoiceOptions {
  readonly yes?: boolean
  readonly reason: string
}

export function addQuarantine(program: Command, verbs: Verbs): void {
  const verb = program.command('quarantine').description('rows that could not be transformed or loaded, kept whole')
  withCommonOptions(verb.command('list', { isDefault: true }))
    .description('the runs that have quarantined rows, and how many are open')
    .argument('[pipeline]')
    .action((pipeline: string | undefined, _options, command: Command) => list(pipeline, command.optsWithGlobals()))
  withCommonOptions(verb.command('show'))
    .description('quarantined rows with the reason')
    .argument('<run|pipeline|id>', 'a run, a pipeline, or the id of a row')
    .option('--limit <n>', 'at most so many', limitOption, 20)
    .action((of: string, _options, command: Command) => show(of, command.optsWithGlobals()))
  withChoice(withCommonOptions(verb.command('replay')))
    .description('send rows through the transform and the load of now; never overwrites a newer row')
    .addOption(workflowOption())
    .addOption(isolatedOption())
    .addOption(detachOption())
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
    .action((pipeline: string, _options, command: Command) => discard(pipeline, command.optsWithGlobals()))
}

function withChoice(command: Command): Command {
  return command
    .argument('<pipeline>')
    .option('--run <run>', 'only rows that this run has quarantined')
    .option('--id <id...>', 'only the rows of these ids')
}

async function list(pipeline: string | undefined, options: CommonOptions): Promise<void> {
  const found = await withStores(options, async ({ staging }) => {
    const { quarantinedPipelines, quarantinedRows } = await import('dray/internal/pipeline/quarantine/kept-rows.ts')
    const names = pipeline === undefined ? await quarantinedPipelines(staging) : [pipeline]
    return summaries(names.map((name) => quarantinedRows(staging, name)))
  })
  if (options.json) return printJson({ quarantine: found.map(summaryDocument) })
  process.stdout.write(listText(found, (command) => commandFor(options, command)))
}

async function show(of: string, options: ShowOptions): Promise<void> {
  const { rows, total } = await withStores(options, async ({ staging }) => {
    const { quarantinedPipelines, quarantinedRows } = await import('dray/internal/pipeline/quarantine/kept-rows.ts')
    const shown: KeptRow[] = []
    let matching = 0
    for (const pipeline of await quarantinedPipelines(staging)) {
      for await (const row of quarantinedRows(staging, pipeline)) {
        if (![row.run, row.pipeline, row.id].includes(of)) continue
        matching += 1
        if (shown.length < options.limit) shown.push(row)
      }
    }
    return { rows: shown, total: matching }
  })
  if (total === 0) {
    throw new ConfigurationError(
      `No row in the quarantine is of ${of}, which is no run, no pipeline and no id there; \`${commandFor(options, 'dray quarantine list')}\` shows what there is.`,
    )
  }
  if (options.json) return printJson({ total, rows: rows.map(rowDocument) })
  process.stdout.write(rowsText(rows, total))
}

async function replay(name: string, options: ChoiceOptions & RunOptions) {
  const { pipelineAlone, pipelineNamed } = await import('./pipelines.ts')
  const { runAsked } = await import('./run-command.ts')
  const { checkedMode } = await import('dray/internal/messages/run-mode.ts')
  const pipeline = await pipelineNamed(name)
  if (pipeline.load.kind === 'replace') {
    throw new ConfigurationError(
      `${name} replaces its whole table in each run, so single rows cannot be replayed and nothing was done; \`${commandFor(options, `dray run ${name}`)}\` reads them again.`,
    )
  }
  const asked = await pipelineAlone(name, options.workflow)
  const mode = checkedMode({ replay: { run: options.run ?? null, ids: options.id ?? null } })
  return runAsked(async (stores) => {
    await chosenRows(name, options, stores)
    return { ...asked, mode, trigger: 'replay' }
  }, options)
}

/** The open rows that were asked for; throws `Configuration` when there are none. */
async function chosenRows(name: string, options: ChoiceOptions, { staging }: Stores): Promise<KeptRow[]> {
  const { quarantinedRows } = await import('dray/internal/pipeline/quarantine/kept-rows.ts')
  const { run, id } = options
  const rows: KeptRow[] = []
  for await (const row of quarantinedRows(staging, name, { run })) {
    if (row.record === null && (id === undefined || id.includes(row.id))) rows.push(row)
  }
  const missing = id?.filter((one) => !rows.some((row) => row.id === one)) ?? []
  if (rows.length > 0 && missing.length === 0) return rows
  const what = missing.length > 0 ? `no open row ${missing.join(', ')}` : 'no open row'
  throw new ConfigurationError(
    `The quarantine of ${name} has ${what}${run === undefined ? '' : ` of the run ${run}`}, so nothing was done; \`${commandFor(options, `dray quarantine list ${name}`)}\` shows what there is.`,
  )
}

async function discard(name: string, options: DiscardOptions): Promise<void> {
  const { pipelineNamed } = await import('./pipelines.ts')
  await pipelineNamed(name)
  const discarded = await withStores(options, async (stores) => {
    const { appendToLog } = await import('dray/internal/pipeline/quarantine/log.ts')
    const rows = await chosenRows(name, options, stores)
    if (!options.yes) {
      throw new ConfigurationError(
        `${rows.length} rows of ${name} would be given up and never be replayed. Nothing was changed; say --yes to do it.`,
      )
    }
    const at = new Date().toISOString()
    const by = userInfo().username
    await appendToLog(
      stores.staging,
      name,
      rows.map(({ id }) => ({ id, action: 'discarded' as const, reason: options.reason, by, at })),
    )
    return rows.map(({ id }) => id)
  })
  if (options.json) return printJson({ pipeline: name, discarded })
  process.stdout.write(`${name}: ${discarded.length} rows were given up; they are kept until staging expires.\n`)
}
