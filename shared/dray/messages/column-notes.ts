/* Words in the notes of a run on columns that no model knows; a notification goes by them. */

/** Of a column that the target gets with this run. */
export const ADDED = 'is new at the source'
/** Of one that could not be added. */
export const NOT_ADDED = 'could not be added'
/** Of one that is not taken over. */
export const LEFT = 'is not taken over'
/** Of one that the target has as another type. */
export const OTHER_TYPE = 'so nothing is copied into it'
/** Of one that the target has, and had less room. */
export const WIDENED = 'has become wider at the source'
/** Of those that the target keeps. */
export const GONE = 'not at the source any more'
/** Of a table of a replica that was changed as its source was. */
export const FOLLOWS = 'follows its source'
/** Of tables of a replica that were not there before, and of those that are there no more. */
export const NEW_TABLES = 'takes over from now on'
export const GONE_TABLES = 'which it has no more'
/** Of one that is a view now. */
export const VIEWS = 'is a view now'
/** Of those that the target has by now. */
export const TAKEN_OVER = 'takes over'

const ANY = [ADDED, NOT_ADDED, LEFT, OTHER_TYPE, WIDENED, GONE, FOLLOWS, NEW_TABLES, GONE_TABLES, VIEWS]

/** Whether a note of a run says that the columns, or the tables, of a source are others than before. */
export function isOfNewColumns(note: string): boolean {
  return note.startsWith(TAKEN_OVER) || ANY.some((words) => note.includes(words))
}

/** Whether it says so of tables. */
export function isOfTables(note: string): boolean {
  return [NEW_TABLES, GONE_TABLES, VIEWS].some((words) => note.includes(words))
}

const MOST_TOLD = 50
const MOST_CHARACTERS = 300

/** What notes say of changed columns and tables, by step: the first of them, and of each as much as an event takes. */
export function changesIn(
  steps: readonly { readonly step: string; readonly notes: readonly string[] | null }[],
): Readonly<Record<string, readonly string[]>> {
  const all = steps.flatMap(({ step, notes }) => (notes ?? []).filter(isOfNewColumns).map((note) => ({ step, note })))
  const told = all.slice(0, MOST_TOLD).map(({ step, note }) => ({ step, note: note.slice(0, MOST_CHARACTERS) }))
  const byStep = [...Map.groupBy(told, ({ step }) => step)]
  return Object.fromEntries(byStep.map(([step, its]) => [step, its.map(({ note }) => note)]))
}
