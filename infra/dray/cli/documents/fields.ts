import * as z from 'zod'

/** What several documents say, under one name and with one meaning. */

export const count = z.int().nonnegative()
export const text = z.string()

export const runId = text.describe('the name of a run')
export const time = text.describe('ISO 8601 in UTC, as `2024-06-01T12:00:00.000000Z`')
export const mark = text.describe('a time (ISO 8601 in UTC), or the number of a transaction or of a row')
export const seconds = z.number().describe('seconds')
export const usDollars = z.number().describe('US dollars')
export const notes = z.array(text).describe('sentences for a person')
export const owner = text.describe('who answers for it')
export const pipeline = text.describe('a pipeline, or a table of a replica: `raw/orders`')
export const step = text.describe('a node of a workflow, or a table of a replica')
/** Values as the database's own text. */
export const row = z.record(text, text.nullable()).describe("by column, as the database's own text")
export const key = z.array(text).describe('the values of a key, in its order')

/** What is wrong in one field of a row. */
export const fault = z.strictObject({ field: text, code: text, message: text })

/** The terms of the row equation. */
export const rowCounts = {
  read: count,
  inserted: count,
  updated: count,
  unchanged: count,
  filtered: count,
  duplicate: count,
  quarantined: count,
  deleted: count.describe('rows of the target that were deleted, marked as deleted, or closed in a history'),
}

export const window = z.strictObject({ from: mark.nullable(), to: mark })

/** A file of the project. */
export const file = z.strictObject({ path: text, change: z.enum(['added', 'changed']) })
