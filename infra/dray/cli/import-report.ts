import { type CsvFormat, nameOf } from '#dray-infra/local/csv/format.ts'
import type { CsvImported, ImportMode } from '#dray-infra/local/csv/import.ts'
import { ImportRefused } from '#dray-infra/local/csv/imported-rows.ts'
import { count, duration, oneLine, plural } from './format.ts'
import { textTable } from './text-table.ts'

/** What was asked for. */
interface Asked {
  readonly file: string
  readonly database: string
  readonly table: string
  readonly mode: ImportMode
}

/** The document of `dray import csv --json`: the terms are those of a run's step. */
export function importDocument(asked: Asked, result: CsvImported, seconds: number) {
  return {
    status: 'success' as const,
    ...asked,
    created: result.created,
    ...termsOf(result),
    seconds,
    rows_per_second: perSecond(result, seconds),
    bytes: result.bytes,
    sha256: result.sha256,
    format: formatDocument(result.format),
    notes: result.notes,
  }
}

/** The document of an import that was refused for its rows; null for other errors. */
export function refusedDocument(asked: Asked, error: unknown) {
  if (!(error instanceof ImportRefused)) return null
  const none = { inserted: 0, updated: 0, unchanged: 0, filtered: 0, duplicate: 0 }
  return {
    status: 'refused' as const,
    ...asked,
    read: error.read,
    ...none,
    quarantined: 0,
    deleted: 0,
    at_fault: error.rows,
  }
}

/** The report for a person. */
export function importText(asked: Asked, result: CsvImported, seconds: number): string {
  const made = { model: ' The table was made from its model.', text: ' The table was made, with text columns.' }
  const { read } = result
  const rows = asked.mode === 'append' ? plural(read, 'row') : `${plural(read, 'row')} (${asked.mode})`
  return [
    `Imported ${rows} into ${asked.database}.${asked.table} in ${duration(seconds)}.${result.created ? made[result.created] : ''}`,
    '',
    textTable(
      Object.entries({
        ...termsOf(result),
        bytes: result.bytes,
        'rows/s': perSecond(result, seconds),
      }).map(([title, value]) => ({ title, align: 'right' as const, value: () => count(value) })),
      [null],
    ),
    '',
    `  read as ${formatText(result.format)}`,
    ...result.notes.map((note) => `  note: ${oneLine(note)}`),
    '',
  ].join('\n')
}

/** A row that is refused refuses the file, and nothing is filtered: these terms are there since a run has them. */
function termsOf({ read, inserted, updated, unchanged, duplicate, deleted }: CsvImported) {
  return { read, inserted, updated, unchanged, filtered: 0, duplicate, quarantined: 0, deleted }
}

function perSecond({ read }: CsvImported, seconds: number): number {
  return Math.round(read / seconds)
}

const LINE_ENDS = { lf: 'LF', crlf: 'CRLF', cr: 'CR', any: 'LF and CRLF' } as const

function escapeName({ escape: before, quote }: CsvFormat): string | null {
  return before === null ? null : before === quote ? 'quote' : 'backslash'
}

function formatDocument(format: CsvFormat) {
  return {
    encoding: format.encoding,
    delimiter: format.delimiter,
    quote: format.quote,
    escape: escapeName(format),
    line_ends: LINE_ENDS[format.lineEnds],
    null: format.nulls,
    quoted_null: format.quotedNulls,
  }
}

function formatText(format: CsvFormat): string {
  const nulls = format.nulls.map((text) => (text === '' ? 'an empty field' : text)).join(' or ')
  return [
    format.encoding,
    `delimiter ${nameOf(format.delimiter)}`,
    format.quote === null ? 'no quotes' : `quote ${nameOf(format.quote)}`,
    ...(format.quote === null ? [] : [`escaped by a ${escapeName(format)}`]),
    `lines end in ${LINE_ENDS[format.lineEnds]}`,
    `NULL is ${oneLine(nulls)}${format.quotedNulls ? ', in quotes as well' : ''}`,
  ].join(', ')
}
