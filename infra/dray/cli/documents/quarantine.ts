import * as z from 'zod'
import { count, fault, notes, pipeline, row, runId, text, time } from './fields.ts'

const reasons = z.record(text, count).describe('how many rows each field and code has')

export const quarantineList = z.strictObject({
  quarantine: z.array(
    z.strictObject({
      pipeline,
      run_id: runId,
      rows: count,
      open: count,
      landed: count,
      replayed: count,
      superseded: count,
      discarded: count,
      reasons,
    }),
  ),
  notes,
})

const states = ['landed', 'replayed', 'superseded', 'discarded'] as const

export const quarantineShow = z.strictObject({
  rows: z.array(
    z.strictObject({
      id: text,
      pipeline,
      run_id: runId,
      partition: count,
      stage: text.describe('where it failed: `transform`, `load`'),
      state: z.enum(['open', ...states]),
      record: z
        .strictObject({
          id: text,
          action: z.enum(states),
          reason: text,
          by: text.describe('the run that closed it, or who discarded it'),
          at: time,
          tries: count.optional().describe('how often usual runs have sent it'),
          of: text.optional(),
        })
        .nullable()
        .describe('how it was closed'),
      errors: z.array(fault),
      row,
    }),
  ),
  total: count.describe('how many there are; `--limit` has them shown'),
  notes,
})

export const quarantineFindings = z.union([
  z.strictObject({
    findings: z.array(z.strictObject({ pipeline, run_id: runId, rows: count, findings: reasons })),
    notes,
  }),
  quarantineShow,
])

export const quarantineDiscard = z.strictObject({ pipeline, discarded: z.array(text).describe('ids of rows') })

export const quarantinePrune = z.strictObject({ pruned: z.array(z.strictObject({ pipeline, rows: count })) })
