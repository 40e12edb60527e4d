import { type RowTerm, rowTerms } from 'dray/internal/messages/row-terms.ts'
import { unitOf } from 'dray/internal/messages/step-name.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import type { PartitionRecord, ReconciledRows, StepRecord } from 'dray/internal/state/state-store.ts'
import { nameOf } from '#dray-infra/runs/asked-steps.ts'
import type { RunResult } from '#dray-infra/runs/run-result.ts'
import type { DocumentOf } from './documents/documents.ts'
import { commandFor } from './environment.ts'
import { count, duration, isoMark, isoTime, oneLine, plural, status } from './format.ts'
import { refusedAgain, replayedText } from './replayed-rows.ts'
import { checkDocument, checksOf } from './shown-checks.ts'
import { shownSteps } from './shown-steps.ts'
import { type Column, textTable } from './text-table.ts'

type StepDocument = DocumentOf<'runs show'>['steps'][number]

/** The document of `dray run --json`, with why rows of a replay were refused again. */
export async function jsonReportOf(result: RunResult, replayed: StagingStore | undefined) {
  const report = jsonReport(result)
  return replayed === undefined ? report : { ...report, refused_again: await refusedAgain(result, replayed) }
}

/** `tables` are those of replicas. */
export function jsonReport(result: RunResult) {
  const { tables = [] } = result
  return {
    run_id: result.id,
    workflow: result.workflow,
    only: result.only ?? null,
    status: result.status,
    seconds: result.seconds,
    notes: result.notes ?? [],
    steps: result.steps.map(stepDocument),
    ...(tables.length === 0 ? {} : { tables: tables.map(stepDocument) }),
  }
}

export function stepDocument(step: StepRecord): StepDocument {
  return {
    step: step.step,
    status: step.status,
    reason: step.error,
    notes: step.notes ?? [],
    read: step.read,
    inserted: step.inserted,
    updated: step.updated,
    unchanged: step.unchanged,
    filtered: step.filtered,
    duplicate: step.duplicate,
    quarantined: step.quarantined,
    deleted: step.deleted,
    left: step.left,
    gone: step.gone,
    findings: step.findings,
    quarantine: step.quarantine,
    last_run_before: isoMark(step.lastRunBefore),
    last_run_after: isoMark(step.lastRunAfter),
    start_time: isoTime(step.startTime),
    end_time: isoTime(step.endTime),
    seconds: secondsOf(step),
    ...(step.tables === undefined ? {} : { tables: step.tables }),
    ...(step.reconciled === undefined ? {} : { reconciled: reconciledDocument(step.reconciled) }),
    ...(step.checks === undefined ? {} : { checks: step.checks.map(checkDocument) }),
    ...(step.owner === undefined ? {} : { owner: step.owner }),
  }
}

function reconciledDocument({ equalByDigest, rowsCompared, ...found }: ReconciledRows) {
  return { ...found, equal_by_digest: equalByDigest, rows_compared: rowsCompared }
}

export interface ReportPlaces {
  /** `local`, or the environment that it ran in. */
  readonly env: string
  /** Where a local run has its log. */
  readonly logFile?: string
  readonly stream: NodeJS.WriteStream
  /** Where objects under a staging prefix are, for a person. */
  readonly locate?: (prefix: string) => string
  /** Of a replay: where the rows are that it has set aside again. */
  readonly replayed?: StagingStore
}

/**
 * What a person wants to know after a run: the steps, where refused rows are, why something failed, what to do next.
 */
export async function textReport(result: RunResult, places: ReportPlaces): Promise<string> {
  const locate = places.locate ?? (await stagingPlaces())
  const { lines, left } = shownSteps(result)
  const all = commandFor(places, `dray runs show ${result.id} --json`)
  return [
    '',
    textTable(stepColumns(places.stream, lines), lines),
    ...left.map((said) => `${said}: \`${all}\` has all of them`),
    '',
    `Run ${result.id}: ${status(result.status, places.stream)} in ${duration(result.seconds)}.`,
    ...reasonsOf(lines),
    ...checksOf(lines),
    ...(places.replayed === undefined
      ? []
      : await replayedText(result, places.replayed, (text) => commandFor(places, text))),
    ...notesOf({ ...result, steps: [...result.steps, ...(result.tables ?? [])] }),
    ...quarantines(lines, locate, (text) => commandFor(places, text)),
    ...advice(result, places),
    '',
  ].join('\n')
}

/** Shown where a step has one. */
const RARE: ReadonlySet<string> = new Set<RowTerm>(['left'])

/** The columns of a table of steps; usual terms of the row equation that are zero everywhere still have their place. */
export function stepColumns(stream: NodeJS.WriteStream, steps: readonly StepRecord[]): Column<StepRecord>[] {
  const all = ['read', ...rowTerms] as const
  const terms = all.filter((term) => !RARE.has(term) || steps.some((step) => step[term] > 0))
  return [
    { title: 'step', value: (step) => step.step },
    { title: 'status', value: (step) => status(step.status, stream) },
    ...terms.map((term): Column<StepRecord> => ({ title: term, align: 'right', value: (step) => count(step[term]) })),
    { title: 'seconds', align: 'right', value: (step) => secondsOf(step)?.toFixed(2) ?? '-' },
    { title: 'rows/s', align: 'right', value: rate },
  ]
}

function rate(step: StepRecord): string {
  const seconds = secondsOf(step)
  return seconds && step.read > 0 ? count(step.read / seconds) : '-'
}

function secondsOf(step: StepRecord): number | null {
  if (step.executionTimeSeconds !== null) return step.executionTimeSeconds
  return step.startTime !== null && step.endTime !== null ? (step.endTime - step.startTime) / 1000 : null
}

/** Why steps did not succeed, a line each. */
export function reasonsOf(steps: readonly StepRecord[]): string[] {
  const isSaid = (step: StepRecord) => steps.some((one) => one !== step && unitOf(one.step) === step.step)
  return steps
    .filter((step) => step.status !== 'success')
    .map((step) => `  ${step.step} ${step.status}${ownedBy(step)}: ${oneLine(reasonOf(step, isSaid(step)))}`)
}

function ownedBy({ owner }: StepRecord): string {
  return owner === undefined ? '' : ` (${oneLine(owner)})`
}

/** Of a replica whose tables say their own reasons, how many there are. */
function reasonOf({ error, tables }: StepRecord, isSaid: boolean): string {
  if (isSaid && tables !== undefined && tables.failed > 0) {
    return `${tables.failed} of ${plural(tables.total, 'table')} did not succeed, the others have landed`
  }
  return error ?? 'no reason is known'
}

/** What is no fault, and should be known all the same. */
export function notesOf({ steps, notes = [] }: Pick<RunResult, 'steps' | 'notes'>): string[] {
  const said = steps.flatMap(({ step, notes: own }) => (own ?? []).map((note) => ({ step, note })))
  const ofSteps = [...Map.groupBy(said, ({ note }) => note)].map(
    ([note, alike]) => `${listed(alike.map(({ step }) => step))}: ${note}`,
  )
  const more = ofSteps.length - MOST_NOTES
  const shown = more > 0 ? [...ofSteps.slice(0, MOST_NOTES), `and ${plural(more, 'more note')}`] : ofSteps
  return [...shown, ...notes].map((note) => `  note: ${oneLine(note)}`)
}

/** Each of the tables of a replica may have its own. */
const MOST_NOTES = 50

/** Hundreds of steps may say the same. */
const MOST_NAMED = 5

function listed(steps: readonly string[]): string {
  if (steps.length <= MOST_NAMED) return steps.join(', ')
  return `${steps.slice(0, MOST_NAMED - 1).join(', ')} and ${steps.length - MOST_NAMED + 1} others`
}

/** The steps with partitions whose Load was tried more than once. */
export function retriesOf(partitions: readonly Pick<PartitionRecord, 'pipeline' | 'attempts'>[]): string[] {
  return [...Map.groupBy(partitions, ({ pipeline }) => pipeline)].flatMap(([pipeline, all]) => {
    const again = all.map(({ attempts }) => attempts).filter((attempts) => attempts > 1)
    if (again.length === 0) return []
    const most = Math.max(...again)
    const often = most === 2 ? 'twice' : `up to ${most} times`
    return [`  ${pipeline}: Load was tried ${often} for ${again.length} of ${plural(all.length, 'partition')}`]
  })
}

function quarantines(
  steps: readonly StepRecord[],
  locate: (prefix: string) => string,
  pasted: (command: string) => string,
): string[] {
  return steps.flatMap((step) => {
    if (step.quarantine === null) return []
    const parts = [
      step.quarantined > 0 ? `${plural(step.quarantined, 'row')} in quarantine` : '',
      step.findings > 0 ? `${plural(step.findings, 'finding')} on rows that were loaded` : '',
    ]
    const verb = step.quarantined > 0 ? 'show' : 'findings'
    const command = `\`${pasted(`dray quarantine ${verb} ${step.runId}`)}\``
    return [
      `  ${step.step}: ${parts.filter(Boolean).join(' and ') || 'quarantine'}: ${command}; ${locate(step.quarantine)}`,
    ]
  })
}

function advice(
  { id, workflow, only = null, asked = null, status: ending, steps, tables = [] }: RunResult,
  places: ReportPlaces,
): string[] {
  const command = (text: string) => `\`${commandFor(places, text)}\``
  const again = command(`dray run ${nameOf({ workflow, only, tables: asked })}`)
  switch (ending) {
    case 'success':
      return [`Next: ${again} ${readAgain([...steps, ...tables])}; ${command(`dray runs show ${id}`)} shows this run.`]
    case 'refused':
      return [
        `Next: nothing; the run that holds the lease starts a follow-up when it ends (${command('dray runs')}). Nothing was changed.`,
      ]
    case 'interrupted':
      return [
        `Next: ${command(`dray resume ${id}`)}, or ${again}. What had not been loaded whole was rolled back; last_run has not moved past it.`,
      ]
    case 'failed': {
      const log = places.logFile === undefined ? `${command(`dray runs logs ${id}`)} prints` : `${places.logFile} holds`
      return [
        `Next: repair the cause, then ${command(`dray resume ${id}`)} for what is left, or ${again}. ${log} what the handlers logged.`,
      ]
    }
  }
}

/** What the next run reads: a step without `last_run` loads everything, or is a task. */
function readAgain(steps: readonly StepRecord[]): string {
  const byCursor = steps.filter(({ lastRunAfter }) => lastRunAfter !== null).map(({ step }) => step)
  if (byCursor.length === 0) return 'loads everything again'
  return `again reads only what has changed since${byCursor.length < steps.length ? `, of ${listed(byCursor)}` : ''}`
}

async function stagingPlaces(): Promise<(prefix: string) => string> {
  const { createStagingStore } = await import('dray/internal/staging/staging-url.ts')
  const staging = await createStagingStore(process.env.STAGING_URL ?? '')
  return (prefix) => staging.locate(prefix)
}
