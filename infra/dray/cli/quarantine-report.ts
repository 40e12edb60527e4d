import type { KeptRow } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { count, oneLine, plural } from './format.ts'
import { type Column, textTable } from './text-table.ts'

/** What one run of a pipeline has set aside. */
export interface Summary {
  readonly pipeline: string
  readonly run: string
  rows: number
  open: number
  landed: number
  replayed: number
  superseded: number
  discarded: number
  /** How many rows each reason has, by whether they are open; a row may have several. */
  readonly reasons: { readonly open: Map<string, number>; readonly all: Map<string, number> }
}

type Reasons = ReadonlyMap<string, number>

/** Counts rows by pipeline and run. */
export async function summaries(sources: readonly AsyncIterable<KeptRow>[]): Promise<Summary[]> {
  const found = new Map<string, Summary>()
  for (const rows of sources) {
    for await (const row of rows) {
      const key = `${row.pipeline}/${row.run}`
      const summary = found.get(key) ?? emptySummary(row)
      found.set(key, summary)
      summary.rows += 1
      summary[row.record?.action ?? 'open'] += 1
      for (const reason of new Set(row.errors.map(reasonOf))) {
        countReason(summary.reasons.all, reason)
        if (row.record === null) countReason(summary.reasons.open, reason)
      }
    }
  }
  return [...found.values()]
}

function emptySummary({ pipeline, run }: KeptRow): Summary {
  const counts = { rows: 0, open: 0, landed: 0, replayed: 0, superseded: 0, discarded: 0 }
  return { pipeline, run, ...counts, reasons: { open: new Map(), all: new Map() } }
}

function countReason(reasons: Map<string, number>, reason: string): void {
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
}

function reasonOf({ field, code }: KeptRow['errors'][number]): string {
  return field === '' ? code : `${field} ${code}`
}

/** The runs that have open rows, with the reasons of these alone. */
export function openOnly(found: readonly Summary[]): Summary[] {
  return found
    .filter(({ open }) => open > 0)
    .map((summary) => ({ ...summary, reasons: { ...summary.reasons, all: summary.reasons.open } }))
}

export function summaryDocument({ reasons, ...summary }: Summary) {
  return { ...summary, reasons: Object.fromEntries(reasons.all) }
}

export function findingsDocument({ pipeline, run, rows, reasons }: Summary) {
  return { pipeline, run, rows, findings: Object.fromEntries(reasons.all) }
}

function reasonsText(reasons: Reasons): string {
  return oneLine([...reasons].map(([name, rows]) => `${name} ${rows}`).join(', '))
}

const place: Column<Summary>[] = [
  { title: 'pipeline', value: ({ pipeline }) => pipeline },
  { title: 'run', value: ({ run }) => run },
]
const rows: Column<Summary> = { title: 'rows', align: 'right', value: ({ rows }) => count(rows) }
const open: Column<Summary> = { title: 'open', align: 'right', value: ({ open }) => count(open) }
const closed = (['landed', 'replayed', 'superseded', 'discarded'] as const).map(
  (title): Column<Summary> => ({ title, align: 'right', value: (summary) => count(summary[title]) }),
)
const reasonsColumn = (title: string): Column<Summary> => ({ title, value: ({ reasons }) => reasonsText(reasons.all) })

/** `pasted` makes of a command one that works in the same place. */
export function listText(
  found: readonly Summary[],
  { closed: hidden, isAll }: { readonly closed: number; readonly isAll: boolean },
  pasted: (command: string) => string,
): string {
  const more =
    hidden === 0 || isAll ? '' : `${plural(hidden, 'row')} closed: \`${pasted('dray quarantine list --all')}\`.\n`
  if (found.length === 0)
    return hidden === 0 ? 'The quarantine is empty.\n' : `No row in the quarantine is open.\n${more}`
  const isOpen = found.some((summary) => summary.open > 0)
  const next = `Next: \`${pasted('dray quarantine show <run>')}\` for the rows; when the cause is mended, \`${pasted('dray quarantine replay <pipeline>')}\`.\n`
  const columns = isAll ? [...place, rows, open, ...closed] : [...place, open]
  return `${textTable([...columns, reasonsColumn('reasons')], found)}\n${more}${isOpen ? `\n${next}` : ''}`
}

export function findingsText(found: readonly Summary[], pasted: (command: string) => string): string {
  if (found.length === 0) return 'No row that is kept was loaded with a finding.\n'
  const table = textTable([...place, rows, reasonsColumn('findings')], found)
  return `${table}\n\nNext: \`${pasted('dray quarantine findings <run>')}\` for the rows.\n`
}

export function notesText(notes: readonly string[]): string {
  return notes.map((note) => `note: ${oneLine(note)}\n`).join('')
}
