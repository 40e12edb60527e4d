import { exitCodes } from './exit-codes.ts'

/** What a stream says whose reader has closed the pipe, or whose terminal is gone. */
const GONE = new Set(['EPIPE', 'EIO', 'ENXIO', 'ECONNRESET', 'ERR_STREAM_DESTROYED'])

let works = 0

/**
 * `dray runs | head -1` closes the pipe early: that is no fault, and the command ends, unless there is work that does
 * not depend on who looks. On stderr nobody waits for anything.
 */
export function surviveLostReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!GONE.has(error.code ?? '')) throw error
      if (stream === process.stdout && works === 0) process.exit(exitCodes.ok)
    })
  }
}

/** Does work to its end, although its reader may go away. */
export async function whoeverReads<T>(work: () => Promise<T>): Promise<T> {
  works++
  try {
    return await work()
  } finally {
    works--
  }
}
