import * as z from 'zod'
import {
  count,
  mark,
  notes,
  owner,
  pipeline,
  rowCounts,
  runId,
  seconds,
  step,
  text,
  time,
  usDollars,
} from './fields.ts'

const check = z.strictObject({
  name: text,
  table: text,
  severity: z.enum(['fail', 'warn']),
  status: z.enum(['passed', 'failed', 'warned', 'not run']),
  scope: z.enum(['run', 'table', 'source']),
  failing_rows: count.nullable(),
  keys: z.array(z.record(text, text.nullable())).describe('the keys of the first rows that fail it'),
  said: text.nullable().describe('what was found, without values of rows'),
  seconds,
})

const stepOfRun = z.strictObject({
  step,
  status: z.enum(['running', 'success', 'failed', 'skipped', 'refused']),
  reason: text.nullable().describe('why it did not succeed'),
  notes,
  ...rowCounts,
  left: count.describe('rows of the quarantine that a replay has left there'),
  gone: count.describe('of the deleted rows those that are gone from the source'),
  findings: count.describe('findings on rows that were loaded'),
  quarantine: text.nullable().describe('where the quarantined rows are staged'),
  last_run_before: mark.nullable(),
  last_run_after: mark.nullable(),
  start_time: time.nullable(),
  end_time: time.nullable(),
  seconds: seconds.nullable(),
  tables: z.strictObject({ total: count, failed: count }).optional().describe('of a replica'),
  reconciled: z
    .strictObject({
      pipeline,
      missing: count,
      extra: count,
      different: count,
      rows: z.strictObject({ source: count, target: count }),
      ranges: count.describe('of keys, each compared as one first'),
      equal_by_digest: count.describe('ranges whose digests are equal'),
      rows_compared: count.describe('one by one'),
      first: z.array(
        z.strictObject({
          kind: z.enum(['missing', 'extra', 'different']),
          key: z.record(text, text.nullable()),
          columns: z.array(text),
        }),
      ),
    })
    .optional()
    .describe('of a step that compares'),
  checks: z.array(check).optional(),
  owner: owner.optional(),
})

const only = z.array(text).nullable().describe('the steps that were asked for; null of a whole workflow')

const result = {
  run_id: runId,
  workflow: text,
  only,
  status: z.enum(['success', 'failed', 'refused', 'interrupted']),
  seconds,
  notes,
  steps: z.array(stepOfRun),
  tables: z.array(stepOfRun).optional().describe('those of replicas'),
}

/** Of `run`, and of the verbs that run something. */
export const run = z.union([
  z
    .strictObject({
      ...result,
      refused_again: z
        .record(text, z.record(text, count))
        .optional()
        .describe('of a replay: rows by step and reason that went back to the quarantine'),
      follow_ups: z.array(z.strictObject(result)).optional().describe('runs that had waited for this one'),
    })
    .describe('of a run that has ended'),
  z
    .strictObject({ run_id: runId, workflow: text, only, status: z.literal('running') })
    .describe('of a run that is left at work: `--detach`, or Ctrl-C'),
])

const recorded = {
  run_id: runId,
  workflow: text,
  only,
  tables: z.array(text).optional().describe('those of a replica that were asked for'),
  status: z.enum(['running', 'success', 'failed', 'refused', 'interrupted']),
  start_time: time,
  end_time: time.nullable(),
  seconds: seconds.nullable(),
  records_processed: count,
  records_failed: count,
  runner: text.describe('who runs it: `stepfunctions`, or the process on a machine'),
  trigger: text,
  mode: z.looseObject({}).nullable().describe('what it does instead of reading what has changed (docs/events.md)'),
  error: text.nullable(),
}

export const runsList = z.strictObject({ runs: z.array(z.strictObject(recorded)) })

const cost = z.strictObject({
  us_dollars: usDollars,
  planned_us_dollars: usDollars.nullable(),
  parts: z.strictObject({
    lambda: usDollars,
    logs: usDollars,
    state_transitions: usDollars,
    s3: usDollars,
    dynamodb: usDollars,
  }),
  calls: z.number(),
  calls_assumed: z.number(),
  gigabyte_seconds: z.number(),
  state_transitions: z.number(),
})

export const runsShow = z.strictObject({
  ...recorded,
  owner: owner.nullable(),
  cost: cost.nullable().describe('of a run on AWS'),
  steps: z.array(stepOfRun),
  partitions: z.array(
    z.strictObject({
      pipeline,
      partition: count,
      status: z.enum(['running', 'success']),
      ...rowCounts,
      left: count,
      findings: count,
      bytes: count,
      attempts: count.describe('how often its Load was tried'),
      seconds: seconds.nullable(),
    }),
  ),
})

export const runsLogs = z.strictObject({
  run_id: runId,
  entries: z.array(z.looseObject({})).describe('each line of the log, with all of its fields'),
})

export const runsStop = z.strictObject({ run_id: runId, stopped: z.literal(true) })

export const checks = z.strictObject({
  status: z.enum(['success', 'failed']),
  steps: z.array(z.strictObject({ step, checks: z.array(check) })),
})
