import { unitOf } from 'dray/internal/messages/step-name.ts'
import type { StepRecord } from 'dray/internal/state/state-store.ts'
import { count, plural } from './format.ts'

/** Tables that a report names of one replica: those that did not succeed, those with something to say, slow ones. */
const MOST_FAILED = 20
const MOST_TELLING = 20
const SLOWEST = 3
const MOST_ALIKE = 3

interface ShownSteps {
  /** Each replica is followed by those of its tables that are worth a line. */
  readonly lines: readonly StepRecord[]
  /** Sentences, without their ends, on tables that have none. */
  readonly left: readonly string[]
}

/** The lines of a report: of the tables of a replica, which may be hundreds, those that are worth one. */
export function shownSteps({
  steps,
  tables = [],
}: {
  readonly steps: readonly StepRecord[]
  readonly tables?: readonly StepRecord[]
}): ShownSteps {
  const ofReplica = Map.groupBy(tables, ({ step }) => unitOf(step))
  const shown = steps.map((step) => ({ step, ...worthALine(ofReplica.get(step.step) ?? []) }))
  return {
    lines: shown.flatMap(({ step, lines }) => [step, ...lines]),
    left: shown.flatMap(({ step, left, failed }) => (left === 0 ? [] : [leftText(step, left, failed)])),
  }
}

function leftText({ step }: StepRecord, left: number, failed: number): string {
  const ofThese = failed === 0 ? '' : `, ${count(failed)} of which did not succeed`
  return `${step} has ${plural(left, 'more table')}${ofThese}`
}

function worthALine(tables: readonly StepRecord[]) {
  const isFailed = ({ status }: StepRecord) => status !== 'success'
  const failed = tables.filter(isFailed)
  const common = commonNotes(tables)
  const tells = (one: StepRecord) =>
    tellsOfRows(one) || tellsOfChecks(one) || (one.notes ?? []).some((note) => !common.has(note))
  const telling = tables.filter((one) => !isFailed(one) && tells(one))
  const slowest = tables
    .filter((one) => !isFailed(one) && !tells(one))
    .sort((one, other) => (other.executionTimeSeconds ?? 0) - (one.executionTimeSeconds ?? 0))
    .slice(0, SLOWEST)
  const lines = [...failed.slice(0, MOST_FAILED), ...telling.slice(0, MOST_TELLING), ...slowest]
  return { lines, left: tables.length - lines.length, failed: Math.max(0, failed.length - MOST_FAILED) }
}

function tellsOfRows({ quarantined, findings }: StepRecord): boolean {
  return quarantined > 0 || findings > 0
}

function tellsOfChecks({ checks = [] }: StepRecord): boolean {
  return checks.some(({ status }) => status !== 'passed')
}

/** What several tables say is no reason to name each of them; it stands among the notes. */
function commonNotes(tables: readonly StepRecord[]): ReadonlySet<string> {
  const said = Map.groupBy(
    tables.flatMap(({ notes }) => notes ?? []),
    (note) => note,
  )
  return new Set([...said].flatMap(([note, all]) => (all.length > MOST_ALIKE ? [note] : [])))
}
