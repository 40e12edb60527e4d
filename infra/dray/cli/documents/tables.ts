import * as z from 'zod'
import { count, notes, pipeline, rowCounts, seconds, text } from './fields.ts'

const statement = {
  mark: z.enum(['safe', 'rewrites', 'loses data']),
  what: text,
  columns: z.array(text),
  sql: z.array(text),
  rows: count.nullable(),
  values_lost: count,
  locks: text.nullable(),
  obstacles: z.array(text),
  only_with: text.nullable(),
}

const tables = (statements: z.ZodType) =>
  z.strictObject({
    tables: z.array(
      z.strictObject({
        database: text,
        table: text,
        statements: z.array(statements),
        questions: z.array(z.strictObject({ from: text, to: text })),
        notes,
      }),
    ),
  })

export const schemaPlan = z.union([
  tables(z.strictObject(statement)),
  z.strictObject({
    replica: text,
    tables: z.array(
      z.strictObject({
        pipeline,
        target: text.nullable(),
        is_new: z.boolean(),
        made_by_next_run: z.array(z.strictObject({ what: text, columns: z.array(text), sql: z.array(text) })),
        left: z.array(text),
        refused: text.nullable(),
      }),
    ),
  }),
])

export const schemaApply = tables(z.strictObject({ outcome: z.enum(['done', 'left']), ...statement }))

export const schemaPull = z.strictObject({
  models: z.array(
    z.strictObject({
      table: text,
      file: text.nullable(),
      changes: z.array(z.strictObject({ before: text, after: text.nullable(), why: text })),
      by_hand: z.array(text),
      new_columns: z.array(z.strictObject({ column: text, line: text })),
      pipelines: z.array(text),
    }),
  ),
  type_errors: z.array(text),
})

const asked = { file: text, database: text, table: text, mode: z.enum(['append', 'upsert', 'replace']) }

export const importCsv = z.union([
  z.strictObject({
    status: z.literal('success'),
    ...asked,
    created: z.enum(['model', 'text']).nullable().describe('how the table was made, where there was none'),
    ...rowCounts,
    seconds,
    rows_per_second: z.number(),
    bytes: count,
    sha256: text,
    format: z.strictObject({
      encoding: text,
      delimiter: text,
      quote: text.nullable(),
      escape: text.nullable(),
      line_ends: text,
      null: z.array(text),
      quoted_null: z.boolean(),
    }),
    notes,
  }),
  z.strictObject({
    status: z.literal('refused'),
    ...asked,
    ...rowCounts,
    at_fault: z.array(z.strictObject({ line: count, column: text.nullable(), message: text })),
  }),
])
