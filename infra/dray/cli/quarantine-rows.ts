import type { KeptRow } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { visible, visibleJson } from '#dray-infra/texts/invisible.ts'
import type { DocumentOf } from './documents/documents.ts'
import { faultText, oneLine, plural } from './format.ts'
import { printAsIs } from './output.ts'
import { notesText } from './quarantine-report.ts'
import { type CommonOptions, DOCUMENT_VERSION } from './verb.ts'

const FIRST = `{\n  "version": ${DOCUMENT_VERSION},\n  "rows": [\n`

/** Characters that are written at once. */
const WRITTEN = 64 * 1024

type ShownRow = DocumentOf<'quarantine show'>['rows'][number]

/** Prints rows one after the other, so that they may be as many as there are. */
export interface RowPrinter {
  /** How many rows it has printed. */
  readonly printed: number
  row(row: KeptRow): void
  /** `total` is the number of rows that there are. */
  end(total: number, notes: readonly string[]): void
}

export function rowPrinter({ json }: Pick<CommonOptions, 'json'>): RowPrinter {
  let waiting = ''
  let printed = 0
  const write = (text: string, isLast = false) => {
    waiting += text
    if (!isLast && waiting.length < WRITTEN) return
    printAsIs(waiting)
    waiting = ''
  }
  return {
    get printed() {
      return printed
    },
    row(row) {
      const isFirst = printed++ === 0
      if (json) write(`${isFirst ? FIRST : ',\n'}${jsonOf(rowDocument(row), 4)}`)
      else write(`${isFirst ? '' : '\n'}${rowText(row)}`)
    },
    end(total, notes) {
      if (json)
        write(
          `${printed === 0 ? FIRST : '\n'}  ],\n  "total": ${total},\n  "notes": ${jsonOf(notes, 2).trimStart()}\n}\n`,
          true,
        )
      else write(`${moreText(total, printed)}${notesText(notes)}`, true)
    },
  }
}

/** Indented by so many blanks. */
function jsonOf(value: unknown, indent: number): string {
  const blanks = ' '.repeat(indent)
  return `${blanks}${visibleJson(JSON.stringify(value, null, 2)).replaceAll('\n', `\n${blanks}`)}`
}

function rowDocument({ id, pipeline, run, partition, step, errors, row, record }: KeptRow): ShownRow {
  return {
    id,
    pipeline,
    run_id: run,
    partition,
    stage: step,
    state: record?.action ?? 'open',
    record: record && closing(record),
    errors,
    row,
  }
}

/** The record without what Dray keeps beside it. */
function closing({ id, action, reason, by, at, tries, of }: NonNullable<KeptRow['record']>) {
  return { id, action, reason, by, at, ...(tries === undefined ? {} : { tries }), ...(of === undefined ? {} : { of }) }
}

function rowText({ id, pipeline, run, step, errors, row, record }: KeptRow): string {
  const state = record === null ? 'open' : oneLine(`${record.action} by ${record.by} at ${record.at}: ${record.reason}`)
  const values = Object.entries(row).map(
    ([column, text]) => `    ${visible(column)}: ${text === null ? 'NULL' : visible(text)}\n`,
  )
  return [
    `${id}  ${pipeline}  ${run}  ${step}  ${state}\n`,
    ...errors.map((one) => `  ${faultText(one)}\n`),
    ...values,
  ].join('')
}

function moreText(total: number, printed: number): string {
  return total > printed ? `${plural(total - printed, 'more row')}; see them with --limit ${total}.\n` : ''
}
