import { fieldText } from 'dray/internal/active-record/field-type.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { rowTransformer } from 'dray/internal/pipeline/rows/transform-rows.ts'
import type { AddedField, AddedTable } from '#dray-infra/add/added-table.ts'
import { diffText } from '#dray-infra/add/diff-text.ts'
import type { FileChange } from '#dray-infra/add/file-changes.ts'
import type { ListedChoice, ListedDatabase } from '#dray-infra/add/listed-databases.ts'
import type { AddPlan, PlannedTable } from '#dray-infra/add/plan-add.ts'
import { visible } from '#dray-infra/texts/invisible.ts'
import { plural } from './format.ts'
import { type Column, textTable } from './text-table.ts'

/** Of more tables the files are named, not shown, and no row is. */
const SHOWN_TABLES = 3
const VALUE_WIDTH = 18

/** What would be written, with the first rows of each table. */
export function planText(plan: AddPlan): string {
  const isShort = plan.tables.length <= SHOWN_TABLES
  const files = plan.changes.list.map((change) =>
    isShort || change.before !== null ? diffText(change) : fileLine(change),
  )
  const tables = plan.tables.map((table) => (isShort ? `${headOf(table)}\n${rowsText(table)}` : headOf(table)))
  const skipped = plan.skipped.map(({ table, reason }) => `${table}: ${reason}.`.replace(/\.\.$/, '.'))
  return [...files, ...tables, ...skipped].map((part) => `${part.trimEnd()}\n`).join(isShort ? '\n' : '')
}

function fileLine({ path, after }: FileChange): string {
  return `+++ ${path} (${plural(after.split('\n').length - 1, 'line')})`
}

function headOf({ added, isMissing }: PlannedTable): string {
  const { source, target, pipeline } = added
  const table = isMissing ? ', a table that is made' : ''
  return `${source.database}.${source.table} → ${target.database}.${target.table}${table}; pipeline ${pipeline}, ${readingText(added)}`
}

function readingText({ reading, load }: AddedTable): string {
  if (reading.kind === 'changedSince') return `rows that changed by ${reading.cursor}`
  return `all rows in each run (${reading.reason})${load === 'replace' ? ', which replace those of the run before' : ''}`
}

/** The first rows, a column of the table each, and what the transform and the target's rules say of them. */
function rowsText({ added, live }: PlannedTable): string {
  const columns: Column<AddedField>[] = [
    { title: 'column', value: ({ column }) => column },
    { title: 'field', value: ({ source, isNullable }) => `${fieldText(source)}${isNullable ? ' or NULL' : ''}` },
    { title: 'target', value: ({ targetColumn }) => targetColumn },
    ...added.rows.map((row, place) => ({
      title: `row ${place + 1}`,
      value: (field: AddedField) => valueText(row[added.fields.indexOf(field)] ?? null),
    })),
  ]
  const transform = rowTransformer(live, timestampOf('2026-01-01 00:00:00'))
  const outcomes = added.rows.map((row, place) => {
    const outcome = transform(row)
    if (outcome.kind !== 'quarantined') return `row ${place + 1} is loaded`
    return `row ${place + 1} is quarantined: ${outcome.errors.map(({ field, message }) => `${field}: ${message}`).join('; ')}`
  })
  const isWhole = outcomes.every((outcome) => outcome.endsWith('is loaded'))
  const said = isWhole
    ? `${outcomes.length === 1 ? 'This row' : `These ${outcomes.length} rows`} would be loaded.`
    : `${outcomes.join('\n')}.`
  return `${textTable(columns, added.fields)}\n${said}`
}

function valueText(value: string | null): string {
  if (value === null) return 'NULL'
  const text = visible(value)
  return text.length > VALUE_WIDTH ? `${text.slice(0, VALUE_WIDTH - 1)}…` : text
}

/** What was written, and what to do next. `made` is null where nothing was. */
export function doneText(
  { tables, notes }: AddPlan,
  files: readonly FileChange[],
  made: readonly string[] | null,
): string {
  const first = tables[0]?.added.pipeline
  if (files.length === 0) return 'There is nothing to add.\n'
  if (made === null) return 'Nothing was written; add --yes to write it.\n'
  const lines = [
    `Wrote ${tables.length === 0 ? 'the steps' : plural(tables.length, 'pipeline')}${made.length > 0 ? `, and made ${made.join(', ')}` : ''}.`,
    ...notes,
    ...(first === undefined ? [] : [`Next: npx dray run ${first}, and npm test -- --mine.`]),
  ]
  return `${lines.join('\n')}\n`
}

export function addDocument(plan: AddPlan, files: readonly FileChange[], made: readonly string[] | null) {
  return {
    written: made !== null,
    tables: plan.tables.map(({ added }) => ({
      pipeline: added.pipeline,
      source: `${added.source.database}.${added.source.table}`,
      target: `${added.target.database}.${added.target.table}`,
      reading: readingDocument(added.reading),
      load: added.load,
    })),
    made: made ?? [],
    skipped: plan.skipped,
    files: files.map(({ path, before }) => ({
      path,
      change: before === null ? ('added' as const) : ('changed' as const),
    })),
    notes: plan.notes,
  }
}

function readingDocument(reading: AddedTable['reading']) {
  if (reading.kind === 'fullLoad') return reading
  return { kind: reading.kind, cursor: reading.cursor, is_xid: reading.isXid }
}

export function listDocument({ database, tables, fault }: ListedDatabase) {
  return { database, tables: tables.map(({ isView, ...table }) => ({ ...table, is_view: isView })), fault }
}

const choiceColumns: readonly Column<ListedChoice>[] = [
  { title: 'table', value: ({ table, isView }) => `${table}${isView ? ' (view)' : ''}` },
  { title: 'rows', align: 'right', value: ({ rows }) => (rows === null ? '' : rows.toLocaleString('en-US')) },
  { title: 'key', value: ({ key }) => key.join(', ') || 'none' },
  { title: 'likely cursor', value: ({ cursors }) => cursors.join(', ') || 'none' },
  { title: 'pipeline', value: ({ pipeline }) => pipeline ?? '' },
]

const NAME_ONE =
  'Name a database that has some in the file .env, as SHOP_DATABASE_URL=postgres://user:password@host/shop (or mysql://…, sqlite:<file>), and look again: `npx dray add`'

/** What the databases have, to choose from. */
export function listText(databases: readonly ListedDatabase[]): string {
  const parts = databases.map(({ database, tables, fault }) => {
    if (fault !== null) return `${database}: ${fault}\n`
    return tables.length === 0 ? `${database} has no table.\n` : `${database}\n${textTable(choiceColumns, tables)}\n`
  })
  const isEmpty = databases.every(({ tables, fault }) => tables.length === 0 && fault === null)
  return `${parts.join('\n')}\n${isEmpty ? NAME_ONE : 'Add one: npx dray add <database>.<table>'}\n`
}
