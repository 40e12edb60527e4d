import * as z from 'zod'
import {
  count,
  fault,
  key,
  mark,
  notes,
  owner,
  pipeline,
  row,
  runId,
  seconds,
  text,
  time,
  usDollars,
  window,
} from './fields.ts'

const lease = { lease_owner: runId.nullable().describe('the run that holds the lease') }

const ofPipeline = z.strictObject({
  pipeline,
  owner: owner.nullable(),
  window: z
    .strictObject({
      from: mark.nullable(),
      to: mark,
      exact: z.boolean().describe('false where open transactions are not seen'),
    })
    .nullable(),
  rows: count,
  partitions: z.array(
    z.strictObject({
      after: key.nullable(),
      up_to: key.nullable(),
      window: window.optional().describe('of a backfill'),
      keys: z.array(z.union([text, key])).optional(),
    }),
  ),
  moves_last_run: z.boolean(),
  last_run: mark.nullable(),
  ...lease,
  on_aws: z.strictObject({
    partitions_at_once: count,
    seconds,
    lambda_seconds: seconds,
    state_transitions: z.number(),
    us_dollars: usDollars,
  }),
  notes,
})

const ofTask = z.strictObject({
  task: text,
  owner: owner.nullable(),
  reads: z.array(text),
  writes: text,
  window: z.strictObject({ from: time.nullable() }).nullable(),
  rows: count.nullable(),
  last_run: time.nullable(),
  ...lease,
  notes,
})

const ofReplica = z.strictObject({
  replica: text,
  source: text,
  target: text,
  tables: z.array(
    z.strictObject({
      pipeline,
      table: text,
      is_view: z.boolean(),
      rows: count.nullable(),
      bytes: count.nullable(),
      refused: text.nullable().describe('why it cannot be copied'),
      target: text.optional(),
      is_new: z.boolean().optional(),
      key: z.array(text).optional(),
      cursor: text.nullable().optional(),
      why: text.optional(),
      load: text.optional(),
      deletes: text.optional(),
      last_run: mark.nullable().optional(),
      reads_until: mark.nullable().optional(),
      rows_to_read: count.nullable().optional(),
      on_aws: z.strictObject({ seconds, us_dollars: usDollars }).optional(),
      notes,
    }),
  ),
  totals: z.strictObject({
    tables: count,
    refused: count,
    new: count,
    rows: count,
    bytes: count,
    rows_to_read: count,
  }),
  ...lease,
  notes,
  on_aws: z.strictObject({ tables_at_once: count, seconds, us_dollars: usDollars }),
})

export const plan = z.union([
  ofPipeline.describe('of a pipeline'),
  ofTask.describe('of a task that is SQL'),
  ofReplica.describe('of a replica'),
])

export const preview = z.union([
  z
    .strictObject({
      pipeline,
      rows: z.array(
        z.strictObject({
          outcome: z.enum(['loaded', 'filtered', 'deleted', 'quarantined']),
          source: row,
          target: row.nullable(),
          findings: z.array(fault),
          errors: z.array(fault).describe('why it would be quarantined'),
        }),
      ),
      notes,
      fixture: z.strictObject({ file: text, rows: count, masked: z.boolean() }).optional(),
    })
    .describe('of a pipeline'),
  z.strictObject({ task: text, rows: z.array(row) }).describe('of a task that is SQL'),
])

const counted = z.strictObject({ source: count, target: count }).describe('of a table without a key')
const differences = z.strictObject({ missing: count, extra: count, different: count })
const table = z.strictObject({ table: text, rows: count })

const reconciled = z.strictObject({
  pipeline,
  source: table,
  target: table,
  compared: z.strictObject({ ranges: count, equal_by_digest: count, rows: count, columns: z.array(text) }),
  left_out: z.strictObject({ filtered: count, deleted: count, quarantined: count, pending: count }),
  counts: differences,
  differences: z
    .array(
      z.strictObject({
        kind: z.enum(['missing', 'extra', 'different']),
        key: z.record(text, text.nullable()),
        columns: z.array(text),
      }),
    )
    .describe('the first 10,000'),
  fixed: z
    .strictObject({ run_ids: z.array(runId), read: count, written: count, quarantined: count, left: differences })
    .nullable()
    .describe('what `--fix` did'),
  notes,
})
const alone = z.strictObject({ pipeline, counted }).describe('of a table without a key')

export const reconcile = z.union([
  reconciled.describe('of a pipeline'),
  alone,
  z
    .strictObject({
      replica: text,
      totals: z.strictObject({
        tables: count,
        equal: count,
        counted_alone: count,
        not_compared: count,
        source_rows: count,
        target_rows: count,
        ...differences.shape,
      }),
      tables: z.array(z.union([reconciled, alone, z.strictObject({ pipeline, fault: text.nullable() })])),
    })
    .describe('of a replica'),
])

export const stateShow = z.strictObject({
  pipelines: z.array(
    z.strictObject({
      pipeline,
      last_run: mark.nullable(),
      version: count,
      epoch: count,
      ...lease,
      lease_expires_at: time.nullable(),
      pending: z.boolean().describe('another run waits'),
    }),
  ),
})

const changed = z.strictObject({ pipeline, last_run_before: mark.nullable(), last_run: mark.nullable() })
export const stateSet = changed
export const stateReset = z.union([
  changed.describe('of a pipeline'),
  z.strictObject({ replica: text, reset: z.array(pipeline) }).describe('of a replica'),
])
