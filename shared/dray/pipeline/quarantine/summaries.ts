import type { KeptRow } from './kept-rows.ts'

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

/** What a person counts rows by: `phone invalid`. */
export function reasonOf({ field, code }: KeptRow['errors'][number]): string {
  return field === '' ? code : `${field} ${code}`
}
