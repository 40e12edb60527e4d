import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import { unitOf } from 'dray/internal/messages/step-name.ts'
import { logGroupOf } from '#dray-infra/aws/names.ts'

/** A line of a log, and when it was written. */
export interface LogLine {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly text: string
}

const GROUPS_AT_ONCE = 4

/** The last lines arrive a while after the end. */
const LATE_MS = 15 * 60_000

interface LoggedRun {
  readonly id: string
  readonly startTime: number
  /** Null while it runs. */
  readonly endTime: number | null
}

/** What functions and state machines have logged of a run into these groups, in the order of time. */
export async function logLinesOf(run: LoggedRun, groups: readonly string[]): Promise<LogLine[]> {
  const { CloudWatchLogsClient } = await import('@aws-sdk/client-cloudwatch-logs')
  // Few calls a second are allowed.
  const logs = new CloudWatchLogsClient({ maxAttempts: 8, retryMode: 'adaptive' })
  try {
    const lines: LogLine[] = []
    const waiting = [...groups]
    const work = async () => {
      for (let group = waiting.pop(); group !== undefined; group = waiting.pop()) {
        lines.push(...(await linesOfGroup(run, group, logs)))
      }
    }
    await Promise.all(Array.from({ length: GROUPS_AT_ONCE }, work))
    return lines.sort((one, other) => one.at - other.at)
  } finally {
    logs.destroy()
  }
}

/** Where the functions and state machines of a workflow log: those of its pipelines, and those of all. */
export function logGroupsOf(environment: string, workflow: string, pipelines: readonly string[]): string[] {
  return [
    logGroupOf.control(environment),
    logGroupOf.machines(environment),
    logGroupOf.workflow(environment, workflow),
    ...[...new Set(pipelines.map(unitOf))].map((pipeline) => logGroupOf.pipeline(environment, pipeline)),
  ]
}

async function linesOfGroup(
  { id, startTime, endTime }: LoggedRun,
  logGroupName: string,
  client: CloudWatchLogsClient,
): Promise<LogLine[]> {
  const { paginateFilterLogEvents } = await import('@aws-sdk/client-cloudwatch-logs')
  const lines: LogLine[] = []
  const until = endTime === null ? {} : { endTime: endTime + LATE_MS }
  const asked = { logGroupName, startTime, ...until, filterPattern: `"${id}"` }
  try {
    for await (const { events = [] } of paginateFilterLogEvents({ client }, asked)) {
      for (const { timestamp = 0, message = '' } of events) lines.push({ at: timestamp, text: message.trimEnd() })
    }
  } catch (error) {
    // Of a pipeline that was added since, or has been taken away.
    if (!(error instanceof Error && error.name === 'ResourceNotFoundException')) throw error
  }
  return lines
}
