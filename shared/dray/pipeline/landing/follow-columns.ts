import { applyPlans } from '#dray/active-record/schema-apply.ts'
import { TransientError } from '#dray/errors.ts'
import { ADDED, NOT_ADDED, TAKEN_OVER, WIDENED } from '#dray/messages/column-notes.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { recordedAs } from '#dray/pipeline/plan/gone-columns.ts'
import { isThere, type MissingColumn, type NewColumns, newColumns } from '#dray/pipeline/plan/new-columns.ts'
import type { FollowedColumn } from '#dray/pipeline/rows/followed-columns.ts'

/** What a run takes over beside what the models know. */
export interface Following {
  readonly columns: readonly FollowedColumn[]
  /** Sentences for a person. */
  readonly notes: readonly string[]
}

/**
 * At Plan, behind the fence: adds the columns to the target that are new at the source, where that leaves the rows as
 * they are. One that cannot be added is left out and named with its statement.
 */
export async function followColumns(pipeline: Pipeline, signal: AbortSignal): Promise<Following> {
  const { columns, missing, wider, notes } = await newColumns(pipeline)
  const taken = [...columns]
  // Each try waits for its lock, and a run has an end.
  let held: string | null = null
  const faultOf = async (one: Altered) => {
    const known = refusalOf(one) ?? held
    if (known !== null) return known
    const failure = await alter(pipeline, one, signal)
    if (failure instanceof TransientError) held = failure.message
    return failure?.message ?? null
  }
  const widened: Tried[] = []
  for (const { column, wide, alteration } of wider) {
    const one = { column: wide, alteration }
    const fault = await faultOf(one)
    if (fault === null) taken.splice(taken.indexOf(column), 1, wide)
    widened.push({ one, fault })
  }
  const tried: Tried[] = []
  for (const one of missing) {
    const fault = await faultOf(one)
    if (fault === null) taken.push(one.column)
    tried.push({ one, fault })
  }
  const said = [
    ...standingNote(pipeline, columns),
    ...notesOfTried(pipeline, widened, { done: widenedNote, not: notWidened }),
    ...notesOfTried(pipeline, tried, { done: addedNote, not: notAdded }),
  ]
  return { columns: taken.sort((one, other) => (one.name < other.name ? -1 : 1)), notes: [...said, ...notes] }
}

/** What the next run would take over. */
export function columnsToCome({ columns, missing, wider }: NewColumns): readonly FollowedColumn[] {
  const widened = new Map(
    wider.filter((one) => refusalOf(one) === null).map(({ column, wide }) => [column, wide] as const),
  )
  const there = columns.map((column) => widened.get(column) ?? column)
  return [...there, ...missing.filter((one) => refusalOf(one) === null).map(({ column }) => column)]
}

/** What a run would say now, of a comparison or a plan that adds nothing. */
export function notesOfNewColumns(pipeline: Pipeline, { columns, missing, wider, notes }: NewColumns): string[] {
  const triedOf = (all: readonly Altered[]) => all.map((one) => ({ one, fault: refusalOf(one) }))
  return [
    ...standingNote(pipeline, columns),
    ...notesOfTried(pipeline, triedOf(wider), { done: toBeWidened, not: notWidened }),
    ...notesOfTried(pipeline, triedOf(missing), { done: toBeAdded, not: notAdded }),
    ...notes,
  ]
}

type Altered = Pick<MissingColumn, 'column' | 'alteration'>

/** A column that the target has not, or not so wide, and why that stays so; null where it does not. */
interface Tried {
  readonly one: Altered
  readonly fault: string | null
}

/** As many have a note each: those of a run have to fit into its record, and a table may have 1,000 more. */
const NOTED_APART = 10

interface Notes {
  readonly done: (pipeline: Pipeline, one: Altered) => string
  readonly not: (pipeline: Pipeline, one: Altered, fault: string) => string
}

function notesOfTried(pipeline: Pipeline, tried: readonly Tried[], { done, not }: Notes): string[] {
  const alike = [...Map.groupBy(tried, ({ fault }) => fault)]
  return alike.flatMap(([fault, group]) => {
    const note = ({ one }: Tried) => (fault === null ? done(pipeline, one) : not(pipeline, one, fault))
    const [first, ...others] = group
    if (first === undefined || group.length <= NOTED_APART) return group.map(note)
    const names = others.map(({ one }) => one.column.source.column).join(', ')
    return [`${note(first)}; so it is with ${others.length} more columns: ${names}`]
  })
}

function standingNote(pipeline: Pipeline, columns: readonly FollowedColumn[]): string[] {
  if (columns.length === 0) return []
  const { from, to } = placesOf(pipeline)
  const names = columns.map(({ source, target }) =>
    source.column === target.column ? source.column : `${source.column} (as ${target.column})`,
  )
  return [`${TAKEN_OVER} ${names.join(', ')} of ${from} into ${to}, which the models do not know`]
}

/** Why the column is not added, or widened, by itself; null where it is. */
function refusalOf({ alteration }: Pick<MissingColumn, 'alteration'>): string | null {
  if (alteration.refused !== null) return alteration.refused
  return alteration.mark === 'safe' ? null : 'the database would write the whole table anew for it'
}

/** Null where the column is there now as it is wanted, whoever has done it. */
async function alter(pipeline: Pipeline, { column, alteration }: Altered, signal: AbortSignal) {
  const { target } = pipeline.load
  const statement = { ...alteration, rows: null, valuesLost: 0, obstacles: [], behind: null }
  const plan = { model: target, isNew: false, statements: [statement], questions: [], notes: [] }
  const by = { by: recordedAs(pipeline), again: 'npx dray schema plan' }
  try {
    await applyPlans(target.database, [plan], by)
    return null
  } catch (error) {
    if (signal.aborted) throw error
    return (await isThere(pipeline, column)) ? null : (error as Error)
  }
}

function placesOf({ extract, load }: Pipeline) {
  const place = ({ definition }: Pipeline['extract']['source'] | Pipeline['load']['target']) =>
    `${definition.database}.${definition.table}`
  return { from: place(extract.source), to: place(load.target) }
}

function addedNote(pipeline: Pipeline, { column, alteration }: Altered): string {
  const { from, to } = placesOf(pipeline)
  return `the column ${column.source.column} of ${from} ${ADDED}, so ${to} has it now, too (${alteration.what})${rowsFromBefore(pipeline)}`
}

function toBeAdded(pipeline: Pipeline, { column, alteration }: Altered): string {
  const { from, to } = placesOf(pipeline)
  return `the column ${column.source.column} of ${from} ${ADDED}; the next run adds it to ${to} (${alteration.what})`
}

function notAdded(pipeline: Pipeline, { column, alteration }: Altered, fault: string): string {
  const { from, to } = placesOf(pipeline)
  return `the column ${column.source.column} of ${from} ${NOT_ADDED} to ${to}, so its values are not loaded: ${fault}. Run \`${alteration.sql.join('; ')}\` on ${pipeline.load.target.definition.database} as a user who may, and the next run loads it${rowsFromBefore(pipeline)}`
}

function widenedNote(pipeline: Pipeline, { column, alteration }: Altered): string {
  const { from, to } = placesOf(pipeline)
  return `the column ${column.source.column} of ${from} ${WIDENED}, and so it is in ${to} now (${alteration.what})`
}

function toBeWidened(pipeline: Pipeline, { column, alteration }: Altered): string {
  const { from, to } = placesOf(pipeline)
  return `the column ${column.source.column} of ${from} ${WIDENED}; the next run ${alteration.what} in ${to}`
}

function notWidened(pipeline: Pipeline, { column, alteration }: Altered, fault: string): string {
  const { from, to } = placesOf(pipeline)
  return `the column ${column.source.column} of ${from} ${WIDENED} than in ${to}, which stays as it is, so values that it has no room for go to the quarantine: ${fault}. Run \`${alteration.sql.join('; ')}\` on ${pipeline.load.target.definition.database} as a user who may, then replay them`
}

/** How rows from before come to have the value; nothing where each run loads all of them. */
function rowsFromBefore({ name, extract, load }: Pipeline): string {
  if (load.kind === 'append') return '; rows that were appended before keep NULL there'
  if (extract.cursor === null) return ''
  return `; rows that were loaded before have NULL there until they change: \`npx dray state reset ${name} --yes\` has the next run load all of them, \`npx dray reconcile ${name} --deep --fix\` those that differ`
}
