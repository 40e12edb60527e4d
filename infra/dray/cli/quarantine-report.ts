import type { Summary } from 'dray/internal/pipeline/quarantine/summaries.ts'
import { count, oneLine, plural } from './format.ts'
import { type Column, textTable } from './text-table.ts'

/** The runs that have open rows, with the reasons of these alone. */
export function openOnly(found: readonly Summary[]): Summary[] {
  return found
    .filter(({ open }) => open > 0)
    .map((summary) => ({ ...summary, reasons: { ...summary.reasons, all: summary.reasons.open } }))
}

export function summaryDocument({ pipeline, run, reasons, ...counts }: Summary) {
  return { pipeline, run_id: run, ...counts, reasons: Object.fromEntries(reasons.all) }
}

export function findingsDocument({ pipeline, run, rows, reasons }: Summary) {
  return { pipeline, run_id: run, rows, findings: Object.fromEntries(reasons.all) }
}

function reasonsText(reasons: ReadonlyMap<string, number>): string {
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
