import type { Text } from '#dray/block/block.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import type { Block } from '#dray/staging/staging-store.ts'

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
