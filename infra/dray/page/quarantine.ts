import { DamagedObjects } from 'dray/internal/pipeline/quarantine/damaged-objects.ts'
import {
  type KeptRow,
  pipelinesWithFindings,
  quarantinedPipelines,
  quarantinedRows,
  rowsWithFindings,
} from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { pipelinesOf } from 'dray/internal/pipeline/quarantine/named-pipelines.ts'
import { reasonOf } from 'dray/internal/pipeline/quarantine/summaries.ts'
import { masked } from '#dray-infra/add/masked.ts'
import type { KeptRowDocument, KeptRowsDocument } from './documents.ts'
import type { PageSource } from './page-source.ts'

/** Which rows are looked for; null for all. */
export interface KeptQuery {
  readonly place: 'quarantine' | 'findings'
  readonly pipeline: string | null
  readonly run: string | null
  /** Words that a row has to have in its values or reasons. */
  readonly words: string
  readonly reason: string | null
  /** Closed rows, too. */
  readonly isAll: boolean
  readonly limit: number
}

/** Rows that were set aside, or loaded with findings, newest run first, with their reasons counted. */
export async function keptRows(
  { stores: { staging }, isMasked }: PageSource,
  query: KeptQuery,
): Promise<KeptRowsDocument> {
  const isQuarantine = query.place === 'quarantine'
  const known = await (isQuarantine ? quarantinedPipelines(staging) : pipelinesWithFindings(staging))
  const names =
    query.pipeline === null ? known : pipelinesOf(query.pipeline, known).filter((name) => known.includes(name))
  const damaged = new DamagedObjects()
  const reasons = new Map<string, number>()
  const found: KeptRowDocument[] = []
  let total = 0
  for (const name of names) {
    const rows = (isQuarantine ? quarantinedRows : rowsWithFindings)(staging, name, { run: query.run, damaged })
    for await (const row of rows) {
      if (!isAsked(row, query)) continue
      const its = new Set(row.errors.map(reasonOf))
      for (const reason of its) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      if (query.reason !== null && !its.has(query.reason)) continue
      total += 1
      found.push(keptRow(row, isMasked))
      // The newest runs come last.
      if (found.length > query.limit && query.run === null) found.shift()
      else if (found.length > query.limit) found.pop()
    }
  }
  return {
    rows: query.run === null ? found.toReversed() : found,
    total,
    reasons: [...reasons].map(([reason, rows]) => ({ reason, rows })).sort((one, other) => other.rows - one.rows),
    pipelines: known,
    notes: damaged.notes,
  }
}

function isAsked(row: KeptRow, { isAll, words }: KeptQuery): boolean {
  if (!isAll && row.record !== null) return false
  if (words === '') return true
  const reasons = row.errors.flatMap(({ field, code, message }) => [field, code, message])
  const all = [...reasons, ...Object.values(row.row)].join('\n').toLowerCase()
  const isFound = (word: string) => all.includes(word) || word === row.id || word === row.run
  return words.toLowerCase().split(/\s+/).every(isFound)
}

/** What a transform has given as a reason may have lacked a text. */
const text = (value: unknown): string => (value === undefined || value === null ? '' : String(value))

export function keptRow(
  { id, pipeline, run, partition, step, errors, row, record }: KeptRow,
  isMasked: boolean,
): KeptRowDocument {
  const shown = (value: string | null) => (isMasked ? masked(value, TEXT) : value)
  return {
    id,
    pipeline,
    run,
    partition,
    step,
    errors: errors.map(({ field, code, message }) => ({
      field: text(field),
      code: text(code),
      message: isMasked ? '' : text(message),
    })),
    row: Object.entries(row).map(([column, value]) => [column, shown(value)] as const),
    record,
  }
}

/** Of a row that is kept, the types of its columns are not known: each letter and digit goes. */
export const TEXT = { kind: 'text', length: null, precision: null, scale: null } as const
