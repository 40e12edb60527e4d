import type { Command } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { isTableStep, unitOf } from 'dray/internal/messages/step-name.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { PipelineState, StateStore } from 'dray/internal/state/state-store.ts'
import { commandFor, withPipeline, withStores, withUnit } from './environment.ts'
import { isoMark, isoTime, moment, plural } from './format.ts'
import { print } from './output.ts'
import { type Column, textTable } from './text-table.ts'
import { type CommonOptions, printJson, type Verbs, withCommonOptions } from './verb.ts'

export function addState(program: Command, _verbs: Verbs): void {
  const verb = program.command('state').description('what each pipeline has landed')
  withCommonOptions(verb.command('show', { isDefault: true }))
    .description('last_run and lease of a pipeline, or of all')
    .argument('[pipeline]', 'a pipeline, a replica, or a table of one')
    .action((pipeline: string | undefined, _options, command: Command) => show(pipeline, command.optsWithGlobals()))
  withCommonOptions(verb.command('set'))
    .description('move last_run: the next run reads what changed since')
    .argument('<pipeline>')
    .argument('<last_run>', 'a time such as 2024-06-01T12:00:00Z (UTC), or the number of a transaction or of a row')
    .option('--yes', 'do it')
    .action((pipeline: string, lastRun: string, _options, command: Command) =>
      change(pipeline, lastRun, command.optsWithGlobals()),
    )
  withCommonOptions(verb.command('reset'))
    .description('forget last_run: the next run reads all rows')
    .argument('<pipeline>', 'a pipeline, a table of a replica, or a replica with all of its tables')
    .option('--yes', 'do it')
    .action((pipeline: string, _options, command: Command) => change(pipeline, null, command.optsWithGlobals()))
}

interface ChangeOptions extends CommonOptions {
  readonly yes?: boolean
}

async function show(pipeline: string | undefined, options: CommonOptions): Promise<void> {
  const states = await withStores(options, ({ state }) =>
    pipeline === undefined ? state.pipelines() : one(state, pipeline),
  )
  if (options.json) return printJson('state show', { pipelines: states.map(stateDocument) })
  if (states.length === 0)
    print(`No pipeline has run yet; start with \`${commandFor(options, 'dray run <workflow>')}\`.\n`)
  else print(`${textTable(columns, states)}\n`)
}

const columns: Column<PipelineState>[] = [
  { title: 'pipeline', value: (state) => state.pipeline },
  { title: 'last_run', value: (state) => state.lastRun ?? '-' },
  { title: 'version', align: 'right', value: (state) => String(state.version) },
  { title: 'epoch', align: 'right', value: (state) => String(state.epoch) },
  { title: 'lease', value: leaseText },
]

function leaseText({ leaseOwner, leaseExpiresAt, pending }: PipelineState): string {
  const expiry = leaseExpiresAt === null ? '' : ` until ${moment(leaseExpiresAt)} UTC`
  return `${leaseOwner === null ? 'free' : `${leaseOwner}${expiry}`}${pending ? ', another run waits' : ''}`
}

/** Sets or forgets last_run, once it is confirmed, for the source and the target that are bound now. */
async function change(name: string, text: string | null, options: ChangeOptions): Promise<void> {
  if (await changeOfTask(name, text, options)) return
  const { unitNamed } = await import('./pipelines.ts')
  if (text === null && !isTableStep(name) && (await unitNamed(name)).kind === 'replica')
    return resetReplica(name, options)
  const { setLastRun } = await import('dray/internal/pipeline/stages/set-last-run.ts')
  const [before, lastRun] = await withPipeline(options, name, async (pipeline, services) => {
    const after = text === null ? null : await lastRunOf(pipeline, text)
    const known = (await services.state.pipeline(name))?.lastRun ?? null
    if (!options.yes) throw unconfirmed(name, known, after)
    await setLastRun(pipeline, after, services)
    return [known, after]
  })
  sayChanged(name, before, lastRun, options)
}

/** The same of a task that is SQL; false for any other name. */
async function changeOfTask(name: string, text: string | null, options: ChangeOptions): Promise<boolean> {
  const { withSqlTask } = await import('./environment.ts')
  const { setTaskLastRun } = await import('dray/internal/pipeline/sql-task/set-task-last-run.ts')
  const { refuseWithoutWindow } = await import('dray/internal/pipeline/sql-task/window.ts')
  const { instantOf } = await import('dray/internal/pipeline/texts/instant.ts')
  const changed = await withSqlTask(options, name, async (task, services) => {
    refuseWithoutWindow(task)
    const after = text === null ? null : instantOf(text, 'last_run')
    const known = (await services.state.pipeline(name))?.lastRun ?? null
    if (!options.yes) throw unconfirmed(name, known, after)
    await setTaskLastRun(task, after, services)
    return { known, after }
  })
  if (changed === null) return false
  sayChanged(name, changed.known, changed.after, options)
  return true
}

function sayChanged(name: string, before: string | null, lastRun: string | null, { json }: ChangeOptions): void {
  if (json) printJson('state set', { pipeline: name, last_run_before: isoMark(before), last_run: isoMark(lastRun) })
  else print(`${name}: last_run was ${before ?? 'not set'} and is ${lastRun ?? 'forgotten'} now.\n`)
}

/** Forgets last_run of every table of a replica that has one. */
async function resetReplica(name: string, options: ChangeOptions): Promise<void> {
  const { setLastRun } = await import('dray/internal/pipeline/stages/set-last-run.ts')
  const { stepsOfTables } = await import('dray/internal/pipeline/inspect/replica-tables.ts')
  const { pipelineNamed } = await import('./pipelines.ts')
  const reset = await withUnit(options, name, async (unit, services) => {
    const steps = unit.kind === 'replica' ? await stepsOfTables(unit, null) : []
    const known = (await services.state.pipelines()).filter(({ lastRun }) => lastRun !== null)
    const names = known.map(({ pipeline }) => pipeline).filter((pipeline) => steps.includes(pipeline))
    if (!options.yes && names.length > 0) {
      throw new ConfigurationError(
        `last_run of ${plural(names.length, 'table')} of ${name} would be forgotten: all of their rows would be read once more. Nothing was changed; say --yes to do it.`,
      )
    }
    for (const one of names) await setLastRun(await pipelineNamed(one), null, services)
    return names
  })
  if (options.json) return printJson('state reset', { replica: name, reset })
  print(
    reset.length === 0
      ? `No table of ${name} has a last_run: every run reads all of their rows.\n`
      : `${name}: last_run of ${plural(reset.length, 'table')} is forgotten now: ${reset.join(', ')}.\n`,
  )
}

function unconfirmed(name: string, before: string | null, after: string | null): ConfigurationError {
  const effect =
    after === null
      ? 'all rows would be read once more'
      : before !== null && isLater(after, before)
        ? `what changed from ${before} until ${after} would never be read`
        : `what changed since ${after} would be read once more`
  return new ConfigurationError(
    `last_run of ${name} would go from ${before ?? 'nothing'} to ${after ?? 'nothing'}: ${effect}. Nothing was changed; say --yes to do it.`,
  )
}

function isLater(one: string, other: string): boolean {
  const areNumbers = [one, other].every((text) => /^-?\d+$/.test(text))
  return areNumbers ? BigInt(one) > BigInt(other) : one > other
}

async function lastRunOf({ name, extract }: Pipeline, text: string): Promise<string> {
  const { instantOf } = await import('dray/internal/pipeline/texts/instant.ts')
  if (extract.cursor?.kind === 'timestamp') return instantOf(text, 'last_run')
  if (extract.cursor?.kind === 'xid' && /^\d{1,20}$/.test(text)) return text
  if (extract.cursor?.kind === 'counter' && /^-?\d{1,20}$/.test(text)) return text
  throw new ConfigurationError(
    extract.cursor === null
      ? `${name} reads its whole source in each run and has no last_run, so nothing was changed.`
      : `last_run of ${name} is the number of a ${extract.cursor.kind === 'xid' ? 'transaction' : 'row'}, which ${text} is not, so nothing was changed.`,
  )
}

async function one(state: StateStore, pipeline: string): Promise<PipelineState[]> {
  const found = await state.pipeline(pipeline)
  const all = await state.pipelines()
  const tables = all.filter((known) => isTableStep(known.pipeline) && unitOf(known.pipeline) === pipeline)
  if (found || tables.length > 0) return [...(found ? [found] : []), ...tables]
  const names = all.map((known) => known.pipeline)
  throw new ConfigurationError(
    `The pipeline ${pipeline} has no state: it has never run, or there is none of that name; state is kept of ${names.join(', ') || 'none yet'}.`,
  )
}

function stateDocument(state: PipelineState) {
  return {
    pipeline: state.pipeline,
    last_run: isoMark(state.lastRun),
    version: state.version,
    epoch: state.epoch,
    lease_owner: state.leaseOwner,
    lease_expires_at: isoTime(state.leaseExpiresAt),
    pending: state.pending,
  }
}
