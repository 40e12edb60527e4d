import type { CopyBlock } from './block.ts'

const NULL_FIELD = '\t\\N'
const LINE_END = 10

/** The rows of blocks with so many fields more, which are NULL. A line end stands nowhere but behind a row. */
export async function* withNulls(blocks: AsyncIterable<CopyBlock>, fields: number): AsyncGenerator<CopyBlock> {
  const more = Buffer.from(NULL_FIELD.repeat(fields))
  for await (const { bytes, rows } of blocks) {
    const wider = Buffer.allocUnsafe(bytes.length + rows * more.length)
    let to = 0
    for (let row = 0, from = 0; row < rows; row++) {
      const end = bytes.indexOf(LINE_END, from)
      to += bytes.copy(wider, to, from, end)
      to += more.copy(wider, to)
      wider[to++] = LINE_END
      from = end + 1
    }
    yield { bytes: wider, rows }
  }
}
