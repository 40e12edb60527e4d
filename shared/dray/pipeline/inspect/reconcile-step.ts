import { withDeadline } from '#dray/database/deadline.ts'
import { TerminalError } from '#dray/errors.ts'
import { sumOfSpent } from '#dray/messages/spent.ts'
import type { ReconcileInput, ReconcileOutput } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { chainOf, succeededIn } from '#dray/pipeline/plan/resumed-runs.ts'
import { enterRun } from '#dray/pipeline/stages/enter-run.ts'
import { readJson, writeJson } from '#dray/staging/documents.ts'
import { comparedPrefix } from '#dray/staging/keys.ts'
import { emptyStep, type ReconciledRows, type StepRecord } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { reconcileOnward } from './reconcile.ts'
import type { ComparisonState, Reconciliation } from './reconciliation.ts'

/** Kept back for the part that is on its way when the time is up, in ms: a key range, and the writing of the state. */
const RESERVE_MS = 150_000

/** Differences that the record of a step names. */
const NAMED = 10
/** Of a key in a record, in characters. */
const LONGEST_KEY = 100

/**
 * Compares a pipeline's source with its target as `dray reconcile` does, for as long as the call lasts, and says where
 * the next call goes on. Reads only, takes no lease, and leaves `last_run` alone. What was found is in the record of
 * the step. Throws `Terminal` when more rows differ than may, or when the last call did not come to the end.
 */
export async function reconcileStep(
  pipeline: Pipeline,
  input: ReconcileInput,
  services: Services,
): Promise<ReconcileOutput> {
  const { run, step, call, mode = null } = input
  const { state, now, signal } = services
  await enterRun(input, services)
  const known = (await state.stepRecord(run.id, step)) ?? undefined
  const startTime = known?.startTime ?? now()
  const begun: StepRecord = { ...emptyStep(run.id, step), startTime }
  const write = (part: Partial<StepRecord>) =>
    state.putStep({ ...begun, ...part, ...sumOfSpent([known?.spent, services.spent?.()]) })
  const succeed = async (part: Partial<StepRecord>) => {
    const endTime = now()
    await write({ ...part, status: 'success', endTime, executionTimeSeconds: (endTime - startTime) / 1000 })
    return { at: null, call }
  }
  const doneBy = succeededIn(await chainOf(mode, services), step)
  if (doneBy !== null) return succeed({ notes: [`run ${doneBy} has done this step already, so nothing was done`] })
  let result: Partial<StepRecord> = {
    ...(known?.reconciled === undefined ? {} : { reconciled: known.reconciled }),
    notes: known?.notes ?? null,
  }
  await state.putStep({ ...begun, ...result, ...sumOfSpent([known?.spent]) })
  try {
    const { at, found } = await withDeadline(signal, () => compareSome(pipeline, input, services))
    result = { reconciled: reconciledRows(found), notes: notesOf(found, at === null) }
    if (at !== null && call >= input.calls) throw unfinished(found, input)
    if (at === null) {
      refuseTooMany(found, input)
      return await succeed(result)
    }
    await write(result)
    return { at: await writeJson(services.staging, comparedPrefix(run.id, pipeline.name), at, { signal }), call }
  } catch (error) {
    // It may be tried again. That it cannot be written must not hide why it failed.
    await write({ ...result, error: String(error) }).catch(() => {})
    throw error
  }
}

/** As much as the call has time for. */
async function compareSome(pipeline: Pipeline, { at, deep }: ReconcileInput, services: Services) {
  const state = at === null ? null : await readJson<ComparisonState>(services.staging, at, { signal: services.signal })
  const { timeLeft = () => Infinity } = services
  const whole = timeLeft()
  const reserve = Number.isFinite(whole) ? Math.min(RESERVE_MS, whole / 3) : 0
  return reconcileOnward(pipeline, services, { deep }, { at: state, timeLeft: () => timeLeft() - reserve })
}

function reconciledRows(found: Reconciliation): ReconciledRows {
  const { pipeline, source, target, ranges, equalByDigest, rowsCompared, counts, differences } = found
  return {
    pipeline,
    ...counts,
    rows: { source: source.rows, target: target.rows },
    ranges,
    equalByDigest,
    rowsCompared,
    first: differences.slice(0, NAMED).map(({ kind, key, columns }) => ({ kind, key: cutKey(key), columns })),
  }
}

function cutKey(key: Reconciliation['differences'][number]['key']): ReconciledRows['first'][number]['key'] {
  const cut = (text: string | null) =>
    text !== null && text.length > LONGEST_KEY ? `${text.slice(0, LONGEST_KEY)}…`.toWellFormed() : text
  return Object.fromEntries(Object.entries(key).map(([column, text]) => [column, cut(text)]))
}

/** Sentences for a person: what was found, what was compared, and what is to be known beside. */
function notesOf(found: Reconciliation, isDone: boolean): string[] {
  const { source, target, ranges, equalByDigest, rowsCompared, leftOut, notes } = found
  const left = Object.entries(leftOut).flatMap(([why, rows]) => (rows > 0 ? [`${rows} ${why}`] : []))
  const compared = `compared ${counted(source.rows, 'row')} of ${source.table} with ${target.rows} of ${target.table}: ${counted(ranges, 'key range')}, ${equalByDigest} by digests that the databases computed, ${counted(rowsCompared, 'row')} one by one`
  return [
    totalOf(found) > 0
      ? `${countsIn(found)}: ${firstOf(found)}. ${remedyOf(found)}`
      : isDone
        ? 'no differences'
        : 'no differences so far',
    left.length === 0 ? compared : `${compared}; left out: ${left.join(', ')}`,
    ...notes,
  ]
}

function remedyOf({ pipeline, counts }: Reconciliation): string {
  return counts.missing + counts.different > 0
    ? `\`dray reconcile ${pipeline} --fix\` loads what is missing or differs again; extra rows stay`
    : `Extra rows stay until the pipeline's \`deletes\` take them out; \`dray reconcile ${pipeline}\` shows them`
}

function counted(rows: number, of: string): string {
  return `${rows} ${rows === 1 ? of : `${of}s`}`
}

function firstOf(found: Reconciliation): string {
  const { first } = reconciledRows(found)
  const more = totalOf(found) - first.length
  const named = first.map(({ kind, key, columns }) => {
    const texts = Object.entries(key).map(([column, text]) => `${column}=${text ?? 'NULL'}`)
    return `${kind} ${texts.join(', ')}${columns.length === 0 ? '' : ` (${columns.join(', ')})`}`
  })
  return `${named.join('; ')}${more > 0 ? ` and ${more} more` : ''}`
}

function totalOf({ counts }: Reconciliation): number {
  return counts.missing + counts.extra + counts.different
}

function countsIn({ counts: { missing, extra, different } }: Reconciliation): string {
  return `${missing} missing, ${extra} extra, ${different} different`
}

function refuseTooMany(found: Reconciliation, { fail_above: most, step }: ReconcileInput): void {
  if (most === null || totalOf(found) <= most) return
  throw new TerminalError(
    `${step}: ${found.target.table} differs from ${found.source.table} in ${counted(totalOf(found), 'row')} and at most ${most} may differ (failAbove): ${countsIn(found)}; nothing was changed. Look at them with \`dray reconcile ${found.pipeline}\`; with --fix it loads what is missing or differs again`,
  )
}

function unfinished(found: Reconciliation, { step, calls }: ReconcileInput): TerminalError {
  return new TerminalError(
    `${step}: ${found.source.table} was not compared to its end in ${counted(calls, 'call')} of a function, which are all that one run may take, so rows behind the last key range are not known to be right (so far: ${countsIn(found)}); nothing was changed. Give the step a workflow to itself, which has more calls, or run \`dray reconcile ${found.pipeline}\` on a machine`,
  )
}
