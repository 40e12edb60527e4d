import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { Text } from '#dray/block/block.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import { TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Block, ReadingOptions, StagedContent } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'

/** Rows of a pipeline as a stage has staged them, and the columns in which the next one takes them. */
export interface StagedRows {
  readonly pipeline: string
  readonly stage: 'Extract' | 'Transform'
  readonly object: StagedObject
  readonly columns: readonly string[]
}

/** A partition's rows as the transform has staged them. */
export function transformedRows({ name, load }: Pipeline, object: StagedObject): StagedRows {
  const columns = bulkColumns(load.target.definition).map(({ column }) => column)
  return { pipeline: name, stage: 'Transform', object, columns }
}

/**
 * Opens the rows of the stage before. Fields have no names but those of the object's header: throws `Terminal` when
 * they are not those that the models of now take, as after a deployment between two stages, which would put values into
 * other columns.
 */
export async function openRows(
  { pipeline, stage, object, columns }: StagedRows,
  { staging, signal }: Pick<Services, 'staging' | 'signal'>,
  options: ReadingOptions = {},
): Promise<StagedContent> {
  const content = await staging.read(object, { signal, ...options })
  const found = content.header.columns ?? []
  if (found.length === columns.length && found.every((column, place) => column === columns[place])) return content
  throw new TerminalError(
    `${pipeline}: ${stage} has staged rows of (${found.join(', ')}), and they are to be taken as (${columns.join(', ')}), since other code was deployed in between; none of them was used and last_run stays where it is. Start the run again, or do what it has left with the code of now: \`dray resume <run>\``,
  )
}

/** Longer strings are made by the operating system, page by page. */
const DECODED_BYTES = 64 * 1024
const NEWLINE = 10

/** Calls `take` with each row of a block in turn; what it has taken is not held any longer. */
export function eachRow({ bytes }: Block, take: (row: Text[]) => void): void {
  for (let from = 0; from < bytes.length; ) {
    let end = bytes.lastIndexOf(NEWLINE, from + DECODED_BYTES)
    if (end < from) end = bytes.indexOf(NEWLINE, from)
    eachLine(bytes.toString('utf8', from, end + 1), take)
    from = end + 1
  }
}

function eachLine(text: string, take: (row: Text[]) => void): void {
  let backslash = text.indexOf('\\')
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from)
    if (backslash >= 0 && backslash < from) backslash = text.indexOf('\\', from)
    take(backslash < 0 || backslash >= end ? fieldsOf(text, from, end) : decodeLine(text.slice(from, end)))
    from = end + 1
  }
}

/** The fields of a line without escapes. */
function fieldsOf(text: string, from: number, end: number): Text[] {
  const fields: Text[] = []
  for (let start = from; ; ) {
    const tab = text.indexOf('\t', start)
    if (tab < 0 || tab > end) {
      fields.push(text.slice(start, end))
      return fields
    }
    fields.push(text.slice(start, tab))
    start = tab + 1
  }
}
