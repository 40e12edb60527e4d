import type { Command } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { ReadingMode } from 'dray/internal/messages/run-mode.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { Estimate } from 'dray/internal/pipeline/plan/capacity.ts'
import type { Draft } from 'dray/internal/pipeline/plan/draft.ts'
import { duration, isoMark, oneLine, plural } from './format.ts'
import { print } from './output.ts'
import { notesOfKey, notesOfTable } from './plan-notes.ts'
import { type Column, textTable } from './text-table.ts'
import { type CommonOptions, printJson, type Verbs, withCommonOptions } from './verb.ts'

interface PlanOptions extends CommonOptions {
  readonly keys?: string
  readonly from?: string
  readonly to?: string
  readonly chunk?: string
}

export function addPlan(program: Command, _verbs: Verbs): void {
  withCommonOptions(program.command('plan'))
    .description('what the next run of a pipeline or a replica would read; takes no lease and changes nothing')
    .argument('<pipeline>', 'a pipeline, a task that is SQL, a replica, or a table of one: sales-raw/orders')
    .option('--keys <keys>', 'of a run of these keys')
    .option('--from <time>', 'of a backfill')
    .option('--to <time>', 'of a backfill')
    .option('--chunk <length>', 'of a backfill')
    .action((pipeline: string, _options, command: Command) => show(pipeline, command.optsWithGlobals()))
}

async function show(name: string, options: PlanOptions): Promise<void> {
  const { planWholeReplica } = await import('./plan-replica.ts')
  const isOfOne = options.keys !== undefined || options.from !== undefined || options.to !== undefined
  if (!isOfOne && (await planOfSqlTask(name, options))) return
  if (!isOfOne && (await planWholeReplica(name, options))) return
  const { isLocal, withPipeline } = await import('./environment.ts')
  const { refuseBroken } = await import('#dray-infra/doctor/refuse-broken.ts')
  const { draftRun, startOfRun } = await import('dray/internal/pipeline/stages/draft-run.ts')
  const { notesOfNewColumns } = await import('dray/internal/pipeline/landing/follow-columns.ts')
  const { newColumns } = await import('dray/internal/pipeline/plan/new-columns.ts')
  const { retryNotes } = await import('dray/internal/pipeline/quarantine/retries.ts')
  const { estimate } = await import('dray/internal/pipeline/plan/capacity.ts')
  const { keysOf } = await import('./keys-option.ts')
  const { keys, from, to, chunk } = options
  refuseHalfRange(options)
  const backfill = from === undefined && to === undefined ? null : { from: from ?? '', to: to ?? '', chunk }
  const mode = keys !== undefined ? { keys: keysOf(keys) } : backfill === null ? null : { backfill }
  const { lastRun, holder, drafted, needs, owner } = await withPipeline(options, name, async (pipeline, services) => {
    if (isLocal(options)) await refuseBroken([pipeline], { services, makesTargets: true, mode })
    else await refuseUnplannable(pipeline, mode)
    const known = await services.state.pipeline(name)
    const last = known?.lastRun ?? null
    const start = await startOfRun(pipeline, mode, known, services)
    const planned = await draftRun(pipeline, mode, { id: 'plan', lastRun: start.from, seen: start.seen }, services)
    const columns = notesOfNewColumns(pipeline, await newColumns(pipeline))
    const retries = mode === null ? await retryNotes(pipeline, services) : []
    const ofTable = [...(await notesOfTable(name)), ...notesOfKey(pipeline, planned.rows)]
    const made = { ...planned, notes: [...ofTable, ...start.notes, ...columns, ...planned.notes, ...retries] }
    const { extract, concurrency } = pipeline
    const estimated = estimate({ rows: made.rows, partitionRows: extract.partitionRows, concurrency })
    return { lastRun: last, holder: known?.leaseOwner ?? null, drafted: made, needs: estimated, owner: pipeline.owner }
  })
  if (options.json) {
    const planned = { ...document(drafted), pipeline: name, owner, last_run: isoMark(lastRun), lease_owner: holder }
    return printJson('plan', { ...planned, on_aws: onAws(needs) })
  }
  print(text({ name, owner }, drafted, lastRun, holder, needs))
}

/** Where the databases are another network's business, what Plan refuses there. */
async function refuseUnplannable(pipeline: Pipeline, mode: ReadingMode | null): Promise<void> {
  const { checkContract } = await import('dray/internal/pipeline/plan/contract.ts')
  const { refuseToLoadTwice } = await import('dray/internal/pipeline/plan/rows-again.ts')
  const { migrationsLeft } = await import('dray/internal/pipeline/landing/migrate.ts')
  await migrationsLeft(pipeline.load.target.database)
  refuseToLoadTwice(pipeline, mode)
  await checkContract(pipeline)
}

/** A range has both ends, and only a range has chunks. */
function refuseHalfRange({ from, to, chunk }: PlanOptions): void {
  const isRange = from !== undefined && to !== undefined
  if (isRange || (from === undefined && to === undefined && chunk === undefined)) return
  throw new ConfigurationError(
    'A backfill has a beginning and an end, so nothing was planned; write --from 2024-01-01 --to 2024-02-01, with --chunk 1d or without.',
  )
}

/** False for a name that is not that of a task which is SQL. */
async function planOfSqlTask(name: string, options: PlanOptions): Promise<boolean> {
  const { withSqlTask } = await import('./environment.ts')
  const { planSqlTask } = await import('dray/internal/pipeline/sql-task/inspect-sql-task.ts')
  const found = await withSqlTask(options, name, async (task, services) => ({
    ...(await planSqlTask(task, services)),
    owner: task.owner,
    isWindowed: task.work.isWindowed,
  }))
  if (found === null) return false
  const { reads, writes, from, lastRun, holder, rows, notes, owner, isWindowed } = found
  if (options.json) {
    const window = isWindowed ? { from: isoMark(from) } : null
    printJson('plan', {
      task: name,
      owner,
      reads,
      writes,
      window,
      rows,
      last_run: isoMark(lastRun),
      lease_owner: holder,
      notes,
    })
    return true
  }
  const read = isWindowed && from !== null ? `what has landed since ${from}` : 'all rows'
  const lines = [
    `${name}: reads ${reads.join(', ') || 'the tables of its SELECT'}, ${read}${rows === null ? '' : `: ${plural(rows, 'row')}`}.`,
    `It writes ${writes}.`,
    isWindowed ? `last_run is ${lastRun ?? 'not set'}.` : 'It has no last_run: each run reads all rows.',
    ...(owner === null ? [] : [`Owner: ${oneLine(owner)}.`]),
    ...(holder === null ? [] : [`The run ${holder} holds the lease now; a run would wait for it, and fail.`]),
    ...notes.map((note) => `note: ${oneLine(note)}`),
  ]
  print(`${lines.join('\n')}\n`)
  return true
}

function document({ window, rows, partitions, advances, notes }: Draft) {
  return {
    window: window && { from: isoMark(window.lo), to: isoMark(window.hi), exact: window.exact },
    rows,
    partitions: partitions.map(({ after, upTo, window: chunk, keys }) => ({
      after,
      up_to: upTo,
      ...(chunk === undefined ? {} : { window: { from: isoMark(chunk.lo), to: isoMark(chunk.hi) } }),
      ...(keys === undefined ? {} : { keys }),
    })),
    moves_last_run: advances && window !== null,
    notes,
  }
}

function onAws({ concurrency, seconds, lambdaSeconds, stateTransitions, runCost }: Estimate) {
  return {
    partitions_at_once: concurrency,
    seconds,
    lambda_seconds: lambdaSeconds,
    state_transitions: stateTransitions,
    us_dollars: runCost,
  }
}

function text(
  { name, owner }: { readonly name: string; readonly owner: string | null },
  drafted: Draft,
  lastRun: string | null,
  holder: string | null,
  { concurrency, seconds, runCost }: Estimate,
): string {
  const { window, rows, partitions, notes, advances } = drafted
  const range = window === null ? 'no window' : `the window [${window.lo ?? 'the beginning'}, ${window.hi})`
  const lines = [
    `${name}: ${range}, ${plural(rows, 'row')} in ${plural(partitions.length, 'partition')}.`,
    advances && window !== null
      ? `last_run goes from ${lastRun ?? 'nothing'} to ${window.hi}.`
      : 'last_run stays as it is.',
    ...(owner === null ? [] : [`Owner: ${oneLine(owner)}.`]),
    ...(holder === null ? [] : [`The run ${holder} holds the lease now; a run would be refused.`]),
    `On AWS: about ${duration(seconds)} with ${plural(concurrency, 'partition')} at once, and ${runCost.toFixed(4)} US dollars, as docs/scale.md reckons.`,
    ...notes.map((note) => `note: ${oneLine(note)}`),
  ]
  const numbered = partitions.map((partition, number) => ({ ...partition, number }))
  const telling = columns.filter(({ value }) => numbered.some((partition) => value(partition) !== '-'))
  return `${lines.join('\n')}\n${telling.length > 1 ? `\n${textTable(telling, numbered)}\n` : ''}`
}

const key = (values: readonly string[] | null) => (values === null ? '-' : oneLine(values.join(', ')))

const columns: Column<Draft['partitions'][number] & { readonly number: number }>[] = [
  { title: 'partition', align: 'right', value: ({ number }) => String(number + 1) },
  { title: 'keys after', value: ({ after }) => key(after) },
  { title: 'up to', value: ({ upTo }) => key(upTo) },
  { title: 'cursor from', value: ({ window }) => window?.lo ?? '-' },
  { title: 'to', value: ({ window }) => window?.hi ?? '-' },
  { title: 'keys', align: 'right', value: ({ keys }) => (keys === undefined ? '-' : String(keys.length)) },
]
