import * as z from 'zod'
import type { Message } from './message.ts'

const count = z.int().nonnegative()

/** The terms of the row equation `read = inserted + updated + unchanged + filtered + duplicate + quarantined`. */
export const rowCounts = z.object({
  read: count,
  inserted: count,
  updated: count,
  unchanged: count,
  filtered: count,
  duplicate: count,
  quarantined: count,
})

export type RowCounts = Message<typeof rowCounts>
