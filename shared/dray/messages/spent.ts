import * as z from 'zod'
import type { Message } from './message.ts'

const count = z.int().nonnegative()

/** What calls of Lambda have taken: how many there were, and their milliseconds times the megabytes of each. */
export const spent = z.object({ calls: count, megabyte_ms: count })

export type Spent = Message<typeof spent>

/** Nothing where nothing is known of any: on a laptop, and of what was written before calls were measured. */
export function sumOfSpent(all: readonly (Spent | undefined)[]): { readonly spent?: Spent } {
  const known = all.filter((one) => one !== undefined)
  if (known.length === 0) return {}
  const sum = (of: keyof Spent) => known.reduce((total, one) => total + one[of], 0)
  return { spent: { calls: sum('calls'), megabyte_ms: sum('megabyte_ms') } }
}
