import { setTimeout } from 'node:timers/promises'
import { TransientError } from '#dray/errors.ts'
import type { Block } from '#dray/staging/staging-store.ts'

/** Blocks no faster than so many rows a second: waits behind each until its rows are due. */
export async function* paced(
  blocks: AsyncIterable<Block>,
  maxRowsPerSecond: number | null,
  signal: AbortSignal,
): AsyncGenerator<Block> {
  if (maxRowsPerSecond === null) {
    yield* blocks
    return
  }
  const start = performance.now()
  let rows = 0
  for await (const block of blocks) {
    yield block
    rows += block.rows
    const early = (rows / maxRowsPerSecond) * 1000 - (performance.now() - start)
    if (early > 0) await pause(early, signal)
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(milliseconds, undefined, { signal })
  } catch (error) {
    throw new TransientError(
      'The deadline came while the source was spared (maxRowsPerSecond), so nothing of the partition was staged; try again',
      { cause: error },
    )
  }
}
