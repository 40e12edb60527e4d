import type { CloudFormationClient } from '@aws-sdk/client-cloudformation'
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'

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

/** What the functions and the state machines of a stack have logged of a run, in the order of time. */
export async function logLinesOf(run: LoggedRun, stack: string): Promise<LogLine[]> {
  const { CloudFormationClient } = await import('@aws-sdk/client-cloudformation')
  const { CloudWatchLogsClient } = await import('@aws-sdk/client-cloudwatch-logs')
  const stacks = new CloudFormationClient()
  // Few calls a second are allowed.
  const logs = new CloudWatchLogsClient({ maxAttempts: 8, retryMode: 'adaptive' })
  try {
    const lines: LogLine[] = []
    const waiting = await logGroupsOf(stack, stacks)
    const work = async () => {
      for (let group = waiting.pop(); group !== undefined; group = waiting.pop()) {
        lines.push(...(await linesOfGroup(run, group, logs)))
      }
    }
    await Promise.all(Array.from({ length: GROUPS_AT_ONCE }, work))
    return lines.sort((one, other) => one.at - other.at)
  } finally {
    stacks.destroy()
    logs.destroy()
  }
}

async function logGroupsOf(stack: string, client: CloudFormationClient): Promise<string[]> {
  const { paginateListStackResources } = await import('@aws-sdk/client-cloudformation')
  const groups: string[] = []
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName: stack })) {
    for (const { ResourceType, PhysicalResourceId } of StackResourceSummaries) {
      if (ResourceType === 'AWS::Logs::LogGroup' && PhysicalResourceId) groups.push(PhysicalResourceId)
    }
  }
  return groups
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
  for await (const { events = [] } of paginateFilterLogEvents({ client }, asked)) {
    for (const { timestamp = 0, message = '' } of events) lines.push({ at: timestamp, text: message.trimEnd() })
  }
  return lines
}
