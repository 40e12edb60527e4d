import type { KeptRow } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { count, oneLine, plural } from './format.ts'
import { type Column, textTable } from './text-table.ts'

/** What one run of a pipeline has quarantined. */
export interface Summary {
  readonly pipeline: string
  readonly run: string
  rows: number
  open: number
  replayed: number
  discarded: number
  /** How many rows each reason has; a row may have several. */
  readonly reasons: Map<string, number>
}

/** Counts rows by pipeline and run. */
export async function summaries(sources: readonly AsyncIterable<KeptRow>[]): Promise<Summary[]> {
  const found = new Map<string, Summary>()
  for (const rows of sources) {
    for await (const row of rows) {
      const key = `${row.pipeline}/${row.run}`
      const empty = { rows: 0, open: 0, replayed: 0, discarded: 0, reasons: new Map<string, number>() }
      const summary = found.get(key) ?? { pipeline: row.pipeline, run: row.run, ...empty }
      found.set(key, summary)
      summary.rows += 1
      summary[row.record?.action ?? 'open'] += 1
      for (const reason of new Set(row.errors.map(reasonOf))) {
        summary.reasons.set(reason, (summary.reasons.get(reason) ?? 0) + 1)
      }
    }
  }
  return [...found.values()]
}

function reasonOf({ field, code }: KeptRow['errors'][number]): string {
  return field === '' ? code : `${field} ${code}`
}

export function summaryDocument({ reasons, ...summary }: Summary) {
  return { ...summary, reasons: Object.fromEntries(reasons) }
}

const columns: Column<Summary>[] = [
  { title: 'pipeline', value: ({ pipeline }) => pipeline },
  { title: 'run', value: ({ run }) => run },
  { title: 'rows', align: 'right', value: ({ rows }) => count(rows) },
  { title: 'open', align: 'right', value: ({ open }) => count(open) },
  { title: 'replayed', align: 'right', value: ({ replayed }) => count(replayed) },
  { title: 'discarded', align: 'right', value: ({ discarded }) => count(discarded) },
  {
    title: 'reasons',
    value: ({ reasons }) => oneLine([...reasons].map(([name, rows]) => `${name} ${rows}`).join(', ')),
  },
]

/** `pasted` makes of a command one that works in the same place. */
export function listText(found: readonly Summary[], pasted: (command: string) => string): string {
  if (found.length === 0) return 'The quarantine is empty.\n'
  const open = found.reduce((total, summary) => total + summary.open, 0)
  const next =
    open === 0
      ? ''
      : `\nNext: \`${pasted('dray quarantine show <run>')}\` for the rows; when the cause is mended, \`${pasted('dray quarantine replay <pipeline>')}\`.\n`
  return `${textTable(columns, found)}\n${next}`
}

export function rowDocument({ id, pipeline, run, partition, step, errors, row, record }: KeptRow) {
  return { id, pipeline, run, partition, step, state: record?.action ?? 'open', record, errors, row }
}

export function rowsText(rows: readonly KeptRow[], total: number): string {
  const shown = rows.map((row) => {
    const { id, pipeline, run, step, errors, record } = row
    const state =
      record === null ? 'open' : `${record.action} by ${record.by} at ${record.at}: ${oneLine(record.reason)}`
    const values = Object.entries(row.row).map(
      ([column, text]) => `    ${oneLine(column)}: ${text === null ? 'NULL' : oneLine(text)}\n`,
    )
    return [
      `${id}  ${pipeline}  ${run}  ${step}  ${state}\n`,
      ...errors.map(({ field, code, message }) => `  ${oneLine(`${field} ${code}: ${message}`.trimStart())}\n`),
      ...values,
    ].join('')
  })
  const more =
    total > rows.length ? `${plural(total - rows.length, 'more row')}; see them with --limit ${total}.\n` : ''
  return `${shown.join('\n')}${more}`
}
