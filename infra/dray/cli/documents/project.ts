import * as z from 'zod'
import { count, file, notes, pipeline, seconds, text, usDollars } from './fields.ts'

const reading = z.union([
  z.strictObject({ kind: z.literal('changedSince'), cursor: text, is_xid: z.boolean() }),
  z.strictObject({ kind: z.literal('fullLoad'), reason: text }),
])

export const add = z.union([
  z
    .strictObject({
      databases: z.array(
        z.strictObject({
          database: text,
          tables: z.array(
            z.strictObject({
              table: text,
              is_view: z.boolean(),
              rows: count.nullable(),
              key: z.array(text),
              cursors: z.array(text),
              pipeline: pipeline.nullable(),
            }),
          ),
          fault: text.nullable().describe('why it could not be read'),
        }),
      ),
    })
    .describe('without a table'),
  z.strictObject({
    written: z.boolean(),
    tables: z.array(
      z.strictObject({ pipeline, source: text, target: text, reading, load: z.enum(['upsert', 'replace']) }),
    ),
    made: z.array(text),
    skipped: z.array(z.strictObject({ table: text, reason: text })),
    files: z.array(file),
    notes,
  }),
  z
    .strictObject({
      replica: text,
      tables: z.array(
        z.strictObject({
          pipeline,
          table: text,
          target: text.optional(),
          load: text.optional(),
          why: text.optional(),
        }),
      ),
      left_out: z.array(z.strictObject({ table: text, reason: text.nullable() })),
      notes,
      written: z.boolean(),
      files: z.array(file),
    })
    .describe('with `--replicate`'),
])

export const newFiles = z.strictObject({ files: z.array(file), notes })
export const newCi = z.strictObject({ file: text, written: z.boolean(), environments: z.array(text) })
export const newProject = z.strictObject({ folder: text })

export const upgrade = z.strictObject({
  from: text,
  to: text,
  applied: z.boolean(),
  files: z.strictObject({ added: z.array(text), changed: z.array(text), removed: z.array(text) }),
  merged: z.array(
    z.strictObject({
      file: text,
      keys: z.array(z.strictObject({ key: text, change: z.enum(['set', 'removed', 'kept']) })),
    }),
  ),
})

export const doctor = z.strictObject({
  environment: text,
  healthy: z.boolean(),
  seconds,
  sections: z.array(
    z.strictObject({
      subject: text,
      checks: z.array(
        z.strictObject({ check: text, verdict: z.enum(['ok', 'warning', 'broken', 'unknown']), said: text }),
      ),
    }),
  ),
})

export const docs = z.strictObject({ file: text, models: count, units: count })

export const services = z.strictObject({
  variables: z.record(text, text).describe('what connects to the services, as variables of the environment'),
})

export const prove = z.strictObject({
  name: text,
  steps: z.array(z.strictObject({ name: text, shown: z.boolean(), said: text, seconds })),
  us_dollars: usDollars.nullable(),
  log: text.nullable(),
})

export const error = z.strictObject({
  error: z.strictObject({
    code: text.describe('`usage`, `configuration`, `lease_held`, …, or `fault` for what nobody has foreseen'),
    message: text,
    remedy: text.nullable().describe('the command that the message names'),
    docs: text,
  }),
})
