import * as z from 'zod'
import type { Message } from './message.ts'

/**
 * What has happened: a run failed (of what the models say of a table, of too many bad rows, of checks that do not
 * hold, or of something else), or succeeded with checks that only warn, or is the first success after one that failed;
 * a source that is followed has new columns; a target differs from its source; rows are late; another alarm; an alarm
 * is over.
 */
const what = z.enum([
  ...(['failed', 'schema_changed', 'quarantine', 'checks', 'recovered', 'new_columns'] as const),
  ...(['differences', 'late', 'alarm', 'over'] as const),
])

/** What people get to know, as a webhook gets it, without values of rows; docs/operations.md, "Slack and webhooks". */
export const notice = z.object({
  version: z.literal(1),
  /** The same in each delivery. */
  id: z.string().default(''),
  what,
  environment: z.string(),
  /** In a sentence. */
  summary: z.string(),
  workflow: z.string().nullable(),
  run: z.string().nullable(),
  /** Those that did not succeed; of new columns and of differences those that have them. */
  steps: z.array(
    z.object({
      step: z.string(),
      status: z.string(),
      reason: z.string().nullable(),
      /** Who answers for it; missing where nobody is named. */
      owner: z.string().optional(),
    }),
  ),
  /** Who answers for the workflow; missing where nobody is named. */
  owner: z.string().optional(),
  reason: z.string().nullable(),
  /** What to type next. */
  command: z.string(),
  /** The execution, or the alarm, in the console. */
  link: z.string().nullable(),
})
export type Notice = Message<typeof notice>

/** The attribute of a published message that has the notice as JSON. */
export const NOTICE_ATTRIBUTE = 'notice'

/** What an alarm publishes: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/notify-user-alarm.html */
export const alarmChanged = z.object({
  AlarmName: z.string(),
  AlarmDescription: z.string(),
  AlarmArn: z.string(),
  NewStateValue: z.enum(['ALARM', 'OK', 'INSUFFICIENT_DATA']),
  OldStateValue: z.enum(['ALARM', 'OK', 'INSUFFICIENT_DATA']),
})

/** Messages of a topic, as Lambda gives them. */
export const publishedBatch = z.object({
  Records: z.array(
    z.object({
      Sns: z.object({
        MessageId: z.string(),
        Message: z.string(),
        MessageAttributes: z.record(z.string(), z.object({ Value: z.string() })).nullish(),
      }),
    }),
  ),
})
export type PublishedBatch = Message<typeof publishedBatch>
