import type { Block } from '#dray/staging/staging-store.ts'

/** Tells how many rows have passed. */
export async function* counted(
  blocks: AsyncIterable<Block> | Iterable<Block>,
  tell: (rows: number) => void,
): AsyncGenerator<Block> {
  let rows = 0
  for await (const block of blocks) {
    yield block
    rows += block.rows
    tell(rows)
  }
}
