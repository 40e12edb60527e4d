import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import { from } from 'pg-copy-streams'
import type { PostgresSession } from './session.ts'

const WAITING_BYTES = 1024 * 1024

/**
 * `COPY … FROM STDIN`: sends the bytes in turn with the socket and returns the rows that the server counted. When the
 * bytes cannot be had any more, the server forgets what came before.
 */
export async function copyIn(
  session: PostgresSession,
  sql: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<number> {
  const copy = session.query(from(sql, { highWaterMark: WAITING_BYTES }))
  let refused = false
  copy.once('error', () => {
    refused = true
  })
  const outcome = finished(copy)
  outcome.catch(() => {})
  try {
    for await (const chunk of chunks) {
      if (refused) break
      if (chunk.length > 0 && !copy.write(chunk)) await Promise.race([once(copy, 'drain'), outcome])
    }
  } catch (error) {
    if (!refused) {
      copy.destroy()
      await outcome.catch(() => {})
    }
    throw error
  }
  if (!refused) copy.end()
  await outcome
  return copy.rowCount
}
