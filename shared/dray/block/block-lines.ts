import type { CopyBlock } from './block.ts'

/** The lines of a block by number, as bytes: text that is not valid UTF-8 stays as it is. */
export interface BlockLines {
  readonly count: number
  /** Whole lines, with their line ends. */
  bytes(from: number, to: number): Buffer
  /** One line, without its line end. */
  text(line: number): string
}

export function blockLines({ bytes }: CopyBlock): BlockLines {
  const starts = [0]
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) starts.push(at + 1)
  return {
    count: starts.length - 1,
    bytes: (from, to) => bytes.subarray(starts[from], starts[to]),
    text: (line) => bytes.toString('utf8', starts[line], (starts[line + 1] as number) - 1),
  }
}

/** The lines of the given rows (their places in the whole input, ascending). */
export async function pickLines(
  blocks: AsyncIterable<CopyBlock> | Iterable<CopyBlock>,
  rows: readonly number[],
): Promise<string[]> {
  const picked: string[] = []
  let first = 0
  for await (const block of blocks) {
    const next = rows[picked.length]
    if (next === undefined) break
    if (next < first + block.rows) {
      const lines = blockLines(block)
      for (let row = rows[picked.length]; row !== undefined && row < first + lines.count; row = rows[picked.length]) {
        picked.push(lines.text(row - first))
      }
    }
    first += block.rows
  }
  return picked
}
