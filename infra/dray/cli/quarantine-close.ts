import { userInfo } from 'node:os'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { isTableStep } from 'dray/internal/messages/step-name.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { pipelinesOf } from 'dray/internal/pipeline/quarantine/named-pipelines.ts'
import type { Stores } from '#dray-infra/runs/stores.ts'
import { commandFor, isLocal, withStores } from './environment.ts'
import { count } from './format.ts'
import { print, say } from './output.ts'
import { unitNamed } from './pipelines.ts'
import { notesText } from './quarantine-report.ts'
import type { RunOptions } from './run-options.ts'
import { type CommonOptions, printJson } from './verb.ts'

const DAY_MS = 24 * 3600 * 1000

export interface ChoiceOptions extends CommonOptions {
  readonly run?: string
  readonly id?: readonly string[]
}

export interface DiscardOptions extends ChoiceOptions {
  readonly yes?: boolean
  readonly reason: string
}

export interface PruneOptions extends CommonOptions {
  readonly yes?: boolean
  readonly days: number
}

export async function replay(name: string, options: ChoiceOptions & RunOptions) {
  const { pipelineAlone } = await import('./pipelines.ts')
  const { runAsked } = await import('./run-command.ts')
  const { checkedMode } = await import('dray/internal/messages/run-mode.ts')
  const unit = await unitNamed(name)
  if (unit.kind === 'pipeline') refuseReplaced(unit, options)
  const asked = await pipelineAlone(name, options.workflow)
  const mode = checkedMode({ replay: { run: options.run ?? null, ids: options.id ?? null } })
  return runAsked(async (stores) => {
    // The run reads all of them itself, and says what is damaged.
    const isEnough = (ids: readonly string[]) => ids.length === (options.id?.length ?? 1)
    const tables = [...(await chosenRows(name, options, stores, { isEnough })).keys()]
    if (unit.kind === 'pipeline') return { ...asked, mode, trigger: 'replay' }
    const fit = isLocal(options) ? await replayable(tables, options) : tables
    return { ...asked, ...(isTableStep(name) ? {} : { tables: fit }), mode, trigger: 'replay' }
  }, options)
}

/** Leaves out tables without a key, which are replaced. Throws `Configuration` where no other is left. */
async function replayable(tables: readonly string[], options: CommonOptions): Promise<readonly string[]> {
  const { pipelineNamed } = await import('./pipelines.ts')
  const pipelines = await Promise.all(tables.map(pipelineNamed))
  const fit = pipelines.filter(({ load }) => load.kind !== 'replace')
  const [first] = pipelines
  if (fit.length === 0 && first !== undefined) refuseReplaced(first, options)
  for (const { name } of pipelines.filter((one) => !fit.includes(one))) {
    say(`${name} replaces its whole table in each run, so its rows are not replayed: the next run reads them again.\n`)
  }
  return fit.map(({ name }) => name)
}

function refuseReplaced({ name, load }: Pipeline, options: CommonOptions): void {
  if (load.kind !== 'replace') return
  throw new ConfigurationError(
    `${name} replaces its whole table in each run, so single rows cannot be replayed and nothing was done; \`${commandFor(options, `dray run ${name}`)}\` reads them again.`,
  )
}

/**
 * The ids of the open rows that were asked for, by pipeline, which of a replica are its tables: of all of them, or
 * until each has enough. Throws `Configuration` when there are none.
 */
async function chosenRows(
  name: string,
  options: ChoiceOptions,
  { staging }: Stores,
  { isEnough }: { readonly isEnough?: (ids: readonly string[]) => boolean } = {},
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { DamagedObjects } = await import('dray/internal/pipeline/quarantine/damaged-objects.ts')
  const { quarantinedPipelines, quarantinedRows } = await import('dray/internal/pipeline/quarantine/kept-rows.ts')
  const { run, id } = options
  const damaged = new DamagedObjects()
  const wanted = id === undefined ? null : new Set(id)
  const chosen = new Map<string, readonly string[]>()
  for (const pipeline of pipelinesOf(name, await quarantinedPipelines(staging))) {
    const ids: string[] = []
    for await (const row of quarantinedRows(staging, pipeline, { run, damaged })) {
      if (row.record !== null || wanted?.has(row.id) === false) continue
      ids.push(row.id)
      if (isEnough?.(ids)) break
    }
    if (ids.length > 0) chosen.set(pipeline, ids)
  }
  say(notesText(damaged.notes))
  const found = new Set([...chosen.values()].flat())
  const missing = id?.filter((one) => !found.has(one)) ?? []
  if (found.size > 0 && missing.length === 0) return chosen
  const what = missing.length > 0 ? `no open row ${missing.join(', ')}` : 'no open row'
  throw new ConfigurationError(
    `The quarantine of ${name} has ${what}${run === undefined ? '' : ` of the run ${run}`}, so nothing was done; \`${commandFor(options, `dray quarantine list ${name}`)}\` shows what there is.`,
  )
}

export async function discard(name: string, options: DiscardOptions): Promise<void> {
  await unitNamed(name)
  const discarded = await withStores(options, async (stores) => {
    const { appendToLog } = await import('dray/internal/pipeline/quarantine/log.ts')
    const rows = await chosenRows(name, options, stores)
    const ids = [...rows.values()].flat()
    if (!options.yes) {
      throw new ConfigurationError(
        `${ids.length} rows of ${name} would be given up and never be replayed. Nothing was changed; say --yes to do it.`,
      )
    }
    const at = new Date().toISOString()
    const by = userInfo().username
    const action = 'discarded' as const
    for (const [pipeline, its] of rows) {
      const records = its.map((id) => ({ id, action, reason: options.reason, by, at }))
      await appendToLog(stores.staging, pipeline, records)
    }
    return ids
  })
  if (options.json) return printJson('quarantine discard', { pipeline: name, discarded })
  print(
    `${name}: ${discarded.length} rows were given up; they are kept until they are pruned: \`${commandFor(options, 'dray quarantine prune')}\`.\n`,
  )
}

/** What was closed long enough ago goes for good. */
export async function prune(name: string | undefined, options: PruneOptions): Promise<void> {
  const pruned = await withStores(options, async ({ staging }) => {
    const { prunable } = await import('dray/internal/pipeline/quarantine/prune.ts')
    const { quarantinedPipelines } = await import('dray/internal/pipeline/quarantine/kept-rows.ts')
    const before = new Date(Date.now() - options.days * DAY_MS).toISOString()
    const found: { readonly pipeline: string; readonly rows: number; readonly keys: readonly string[] }[] = []
    const known = await quarantinedPipelines(staging)
    const chosen = name === undefined ? known : pipelinesOf(name, known)
    if (name !== undefined && !chosen.some((one) => known.includes(one))) await unitNamed(name)
    for (const pipeline of chosen) {
      found.push({ pipeline, ...(await prunable(staging, pipeline, before)) })
    }
    const due = found.filter(({ keys }) => keys.length > 0)
    const rows = due.reduce((total, pipeline) => total + pipeline.rows, 0)
    if (due.length > 0 && !options.yes) {
      throw new ConfigurationError(
        `${rows} rows that were closed more than ${options.days} days ago would go for good. Nothing was changed; say --yes to do it.`,
      )
    }
    for (const { keys } of due) for (const key of keys) await staging.remove(key)
    return due
  })
  if (options.json)
    return printJson('quarantine prune', { pruned: pruned.map(({ pipeline, rows }) => ({ pipeline, rows })) })
  print(
    pruned.length === 0
      ? 'Nothing was closed so long ago that it could be pruned; open rows stay.\n'
      : pruned.map(({ pipeline, rows }) => `${pipeline}: ${count(rows)} closed rows were removed.\n`).join(''),
  )
}
