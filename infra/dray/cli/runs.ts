import type { Command } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { modeOf } from 'dray/internal/messages/run-mode.ts'
import { isTableStep, unitOf } from 'dray/internal/messages/step-name.ts'
import { type RunCost, runCost } from 'dray/internal/pipeline/plan/run-cost.ts'
import type { PartitionRecord, RunRecord, StepRecord } from 'dray/internal/state/state-store.ts'
import { knownNames, shortName } from '#dray-infra/project/known-names.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { namesOf } from '#dray-infra/runs/asked-steps.ts'
import { commandFor, withStores } from './environment.ts'
import { count, isoTime, moment, oneLine, plural, status } from './format.ts'
import { foundRun } from './found-run.ts'
import { limitOption } from './limit-option.ts'
import { print } from './output.ts'
import { notesOf, reasonsOf, retriesOf, stepColumns, stepDocument } from './run-report.ts'
import { addRunsLogs } from './runs-logs.ts'
import { addRunsStop } from './runs-stop.ts'
import { addRunsWatch } from './runs-watch.ts'
import { checksOf } from './shown-checks.ts'
import { shownSteps } from './shown-steps.ts'
import { type Column, textTable } from './text-table.ts'
import { type CommonOptions, printJson, type Verbs, withCommonOptions } from './verb.ts'

interface ListOptions extends CommonOptions {
  readonly workflow?: string
  readonly limit: number
}

export function addRuns(program: Command, verbs: Verbs): void {
  const verb = program.command('runs').description('what has run')
  withCommonOptions(verb.command('list', { isDefault: true }))
    .description('the latest runs, newest first')
    .option('--workflow <name>', 'only runs of this workflow')
    .option('--limit <n>', 'at most so many', limitOption, 20)
    .action((_options, command: Command) => list(command.optsWithGlobals()))
  withCommonOptions(verb.command('show'))
    .description('one run with its steps')
    .argument('<id>')
    .action((id: string, _options, command: Command) => show(id, command.optsWithGlobals()))
  addRunsLogs(verb)
  addRunsWatch(verb, verbs)
  addRunsStop(verb)
}

async function list(options: ListOptions): Promise<void> {
  const { workflow, limit } = options
  const runs = await withStores(options, ({ state }) => state.runs({ ...(workflow ? { workflow } : {}), limit }))
  if (options.json) return printJson('runs list', { runs: runs.map(runDocument) })
  if (runs.length === 0 && workflow !== undefined) return print(await noRunText(workflow, options))
  if (runs.length === 0) print(`Nothing has run yet; start with \`${commandFor(options, 'dray run <workflow>')}\`.\n`)
  else print(`${textTable(runColumns, runs)}\n`)
}

/** Throws `Configuration` for a workflow that there is not; of one that was removed runs may be left. */
async function noRunText(workflow: string, options: CommonOptions): Promise<string> {
  const names = (await loadProject()).workflows.map(({ name }) => name)
  if (names.includes(workflow)) {
    return `${workflow} has not run yet; start it with \`${commandFor(options, `dray run ${workflow}`)}\`.\n`
  }
  throw new ConfigurationError(
    `There is no workflow ${shortName(workflow)}, and no run of it; ${knownNames(workflow, names)}`,
  )
}

const runColumns: Column<RunRecord>[] = [
  { title: 'run', value: (run) => run.id },
  { title: 'workflow', value: whatRan },
  { title: 'status', value: (run) => status(run.status, process.stdout) },
  { title: 'started (UTC)', value: (run) => moment(run.startTime) },
  { title: 'seconds', align: 'right', value: (run) => run.executionTimeSeconds?.toFixed(2) ?? '-' },
  { title: 'processed', align: 'right', value: (run) => count(run.recordsProcessed) },
  { title: 'failed', align: 'right', value: (run) => count(run.recordsFailed) },
]

async function show(id: string, options: CommonOptions): Promise<void> {
  const detail = await withStores(options, ({ state }) => foundRun(state, id, options))
  const { run, steps, partitions } = detail
  const cost = runCost(detail)
  if (options.json) {
    const owner = await ownerOf(run)
    return printJson('runs show', {
      ...runDocument(run),
      owner,
      cost: cost && costDocument(cost),
      steps: steps.map(stepDocument),
      partitions: partitions.map(partitionDocument),
    })
  }
  const isTable = ({ step }: StepRecord) => isTableStep(step) && steps.some((one) => one.step === unitOf(step))
  const shown = { steps: steps.filter((one) => !isTable(one)), tables: steps.filter(isTable) }
  const { lines, left } = shownSteps(shown)
  print(
    [
      `${run.id}  ${whatRan(run)}  ${status(run.status, process.stdout)}  ${moment(run.startTime)} UTC  ${oneLine(`${run.trigger}, ${run.runner}`)}\n`,
      run.error ? `${oneLine(run.error)}\n` : '',
      `\n${textTable(stepColumns(process.stdout, lines), lines)}\n`,
      ...left.map((said) => `${said}: \`${commandFor(options, `dray runs show ${id} --json`)}\` has all of them\n`),
      cost === null ? '' : costLine(cost),
      ...reasonsOf(lines).map((line) => `${line}\n`),
      ...checksOf(lines).map((line) => `${line}\n`),
      ...retriesOf(detail.partitions).map((line) => `${line}\n`),
      ...notesOf({ steps }).map((note) => `${oneLine(note)}\n`),
    ].join(''),
  )
}

/** Of its workflow, as the project declares it now. */
async function ownerOf({ workflow }: RunRecord): Promise<string | null> {
  const { loadProject } = await import('#dray-infra/project/load-project.ts')
  return (await loadProject()).workflows.find(({ name }) => name === workflow)?.owner ?? null
}

function costLine({ usDollars, plannedUsDollars, callsAssumed }: RunCost): string {
  const planned = plannedUsDollars === null ? '' : ` (plan: ${plannedUsDollars.toFixed(4)})`
  const assumed = callsAssumed === 0 ? '' : `, ${plural(callsAssumed, 'failed call')} of them taken for average`
  return `  cost: ${usDollars.toFixed(4)} US dollars by its calls${assumed}${planned}\n`
}

function costDocument(cost: RunCost) {
  const { lambda, logs, stateTransitions, s3, dynamoDb } = cost.parts
  return {
    us_dollars: cost.usDollars,
    planned_us_dollars: cost.plannedUsDollars,
    parts: { lambda, logs, state_transitions: stateTransitions, s3, dynamodb: dynamoDb },
    calls: cost.calls,
    calls_assumed: cost.callsAssumed,
    gigabyte_seconds: cost.gigabyteSeconds,
    state_transitions: cost.stateTransitions,
  }
}

function whatRan({ workflow, only, tables = null }: RunRecord): string {
  return only === null ? workflow : `${namesOf({ only, tables }).join(', ')} of ${workflow}`
}

function partitionDocument({ runId: _, executionTimeSeconds, spent: _calls, ...partition }: PartitionRecord) {
  return { ...partition, seconds: executionTimeSeconds }
}

function runDocument(run: RunRecord) {
  return {
    run_id: run.id,
    workflow: run.workflow,
    only: run.only,
    ...(run.tables ? { tables: run.tables } : {}),
    status: run.status,
    start_time: isoTime(run.startTime),
    end_time: isoTime(run.endTime),
    seconds: run.executionTimeSeconds,
    records_processed: run.recordsProcessed,
    records_failed: run.recordsFailed,
    runner: run.runner,
    trigger: run.trigger,
    mode: modeOf(run),
    error: run.error,
  }
}
