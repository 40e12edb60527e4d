import * as z from 'zod'
import type { Message } from './message.ts'

/**
 * A reference to a staged object: small enough for a Step Functions payload, and enough to notice an object that is
 * missing, short or changed. Keys are unique for each attempt and relative to the store's root.
 */
export const stagedObject = z.object({
  key: z.string().min(1).max(1024),
  rows: z.int().nonnegative(),
  /** Bytes of the body, before compression and without the header line. */
  bytes: z.int().nonnegative(),
  /** SHA-256 of the header line and the body, hexadecimal. */
  sha256: z.string().length(64),
})

export type StagedObject = Message<typeof stagedObject>
