import { checked } from '#dray/messages/message.ts'
import { alarmChanged, NOTICE_ATTRIBUTE, type Notice, notice, type PublishedBatch } from '#dray/messages/notice.ts'
import { consoleLink } from './console-link.ts'

type Published = PublishedBatch['Records'][number]['Sns']

/** `daily in prod: rows … are late. What to do: docs/operations.md, "Data is late".`: what alarms of stacks say. */
const DESCRIPTION = /^(?<of>.+?): (?<says>.+) What to do: docs\/operations\.md, "(?<runbook>.+)"\.$/s

/** Each failed run is announced with its steps and reasons, and so is the first success after it. */
const RUNS = 'A run failed'

const LATE: ReadonlySet<string> = new Set(['Data is late', 'No success in time'])

/**
 * What a message of the topic says, for people of an environment; null where it says nothing to them: it is of another
 * environment or another system, or it was said in another message.
 */
export function publishedNotice(
  { MessageId, Message, MessageAttributes }: Published,
  environment: string,
): Notice | null {
  const attribute = MessageAttributes?.[NOTICE_ATTRIBUTE]?.Value
  if (attribute === undefined) return ofAlarm(MessageId, parsed(Message), environment)
  const found = checked(notice, parsed(attribute))
  return 'data' in found && found.data.environment === environment ? { ...found.data, id: MessageId } : null
}

function ofAlarm(id: string, message: unknown, environment: string): Notice | null {
  const found = checked(alarmChanged, message)
  if ('fault' in found) return null
  const { AlarmDescription, AlarmArn, NewStateValue, OldStateValue } = found.data
  const { of = '', says = '', runbook = '' } = DESCRIPTION.exec(AlarmDescription)?.groups ?? {}
  const workflow = of.endsWith(` in ${environment}`) ? of.slice(0, -` in ${environment}`.length) : null
  if ((workflow === null && of !== environment) || runbook === RUNS) return null
  const fires = NewStateValue === 'ALARM'
  // A new alarm has no data and then is OK, which nobody has waited for.
  if (!fires && (NewStateValue !== 'OK' || OldStateValue !== 'ALARM')) return null
  return {
    ...{ version: 1, id, environment, workflow, run: null, steps: [], reason: null },
    what: fires ? (LATE.has(runbook) ? 'late' : 'alarm') : 'over',
    summary: fires ? `${of}: ${says}` : `${of}: the alarm "${runbook}" is over.`,
    command: `npx dray runs --env ${environment}`,
    link: consoleLink(AlarmArn),
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
