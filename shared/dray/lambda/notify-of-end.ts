import type { SNSClient } from '@aws-sdk/client-sns'
import { ADDED, isOfNewColumns, isOfTables, TAKEN_OVER } from '#dray/messages/column-notes.ts'
import { NOTICE_ATTRIBUTE, type Notice } from '#dray/messages/notice.ts'
import type { RunDetail, RunRecord } from '#dray/state/state-store.ts'
import type { EndServices } from '#dray/triggers/end-run.ts'
import type { TriggeredWorkflow } from '#dray/triggers/request-run.ts'
import { consoleLink } from './console-link.ts'
import { isWhole } from './observe.ts'

const verbs = { FAILED: 'failed', TIMED_OUT: 'timed out', ABORTED: 'was aborted', SUCCEEDED: 'succeeds again' } as const

/** How far back is looked for the run before. */
const LATEST = 50
const MOST_STEPS = 20
const MOST_CHARACTERS = 500

let client: SNSClient | null = null

/**
 * Tells the people behind `NOTIFICATION_TOPIC_ARN`, in words, how a run failed and what to do; of a success, if it is
 * the first one after a run that failed, if a target differs from its source, or if a source that is followed has new
 * columns.
 */
export async function notifyOfEnd(
  workflow: TriggeredWorkflow,
  run: string,
  status: keyof typeof verbs,
  { state }: EndServices,
): Promise<void> {
  const topic = process.env.NOTIFICATION_TOPIC_ARN
  if (!topic) return
  const detail = await state.run(run)
  const environment = process.env.DRAY_ENVIRONMENT ?? ''
  const succeeded = status === 'SUCCEEDED'
  const runs = succeeded ? await state.runs({ workflow: workflow.name, limit: LATEST }) : []
  if (!succeeded || (detail !== null && isRecovery(detail.run, runs))) {
    const subject = `${workflow.name} ${verbs[status]} in ${environment}`
    const notice = noticeOf({ environment, workflow: workflow.name, run, subject, succeeded }, detail)
    await publish(topic, subject, succeeded ? `${subject} (run ${run}).` : messageOf(subject, run, detail), notice)
  }
  if (detail !== null) await notifyOfDifferences(detail, { environment, workflow: workflow.name, topic })
  if (detail !== null) await notifyOfWarnings(detail, { environment, workflow: workflow.name, topic })
  const noted = succeeded && detail !== null ? await newColumns(detail, runs, state) : []
  if (noted.length === 0) return
  const what = noted.some(({ reason }) => isOfTables(reason)) ? 'other tables' : 'new columns'
  const subject = `${workflow.name} in ${environment} has ${what} at its sources`
  const lines = noted.map(({ step, reason }) => `  ${step}: ${reason}`)
  await publish(topic, subject, [`${subject} (run ${run}).`, '', ...lines].join('\n'), {
    ...noticeOf({ environment, workflow: workflow.name, run, subject, succeeded }, detail),
    what: 'new_columns',
    steps: noted.map((one) => ({ ...one, reason: cut(one.reason) })),
  })
}

/**
 * Tells of steps that have compared a source with its target and found rows that differ: how many, and no keys. One
 * that failed of them is among the steps that did not succeed.
 */
async function notifyOfDifferences(
  detail: RunDetail,
  { environment, workflow, topic }: { readonly environment: string; readonly workflow: string; readonly topic: string },
): Promise<void> {
  const differing = detail.steps.flatMap(({ step, status, reconciled }) => {
    if (reconciled === undefined || status !== 'success') return []
    const { pipeline, missing, extra, different } = reconciled
    if (missing + extra + different === 0) return []
    return [{ step, status, pipeline, reason: `${missing} missing, ${extra} extra, ${different} different` }]
  })
  if (differing.length === 0) return
  const run = detail.run.id
  const subject = `${workflow} in ${environment} has found rows that differ`
  const lines = differing.map(({ step, reason }) => `  ${step}: ${reason}`)
  const remedies = differing.map(({ pipeline }) => `  npx dray reconcile ${pipeline} --fix --env ${environment}`)
  const message = [
    `${subject} (run ${run}): a target is not what its source and the transform make.`,
    ...['', ...lines, ''],
    `The first keys: npx dray runs show ${run} --env ${environment}`,
    'What is missing or differs is loaded again, and last_run stays, by:',
    ...remedies,
  ]
  await publish(topic, subject, message.join('\n'), {
    ...noticeOf({ environment, workflow, run, subject, succeeded: true }, detail),
    what: 'differences',
    steps: differing.slice(0, MOST_STEPS).map(({ step, status, reason }) => ({ step, status, reason })),
  })
}

/** Tells of checks that do not hold and let their steps succeed: what they found, and no values of rows. */
async function notifyOfWarnings(
  detail: RunDetail,
  { environment, workflow, topic }: { readonly environment: string; readonly workflow: string; readonly topic: string },
): Promise<void> {
  const warned = detail.steps.flatMap(({ step, status, owner, checks = [] }) => {
    const said = checks.filter((one) => one.severity === 'warn' && one.status !== 'passed')
    if (status !== 'success' || said.length === 0) return []
    const reason = said.map((one) => `${one.name}: ${one.said}`).join('; ')
    return [{ step, status, reason: cut(reason), ...ownedBy(owner) }]
  })
  if (warned.length === 0) return
  const run = detail.run.id
  const subject = `${workflow} in ${environment} has checks that warn`
  const lines = warned.map(({ step, reason, owner }) => `  ${step}${named(owner)}: ${reason}`)
  const message = [
    `${subject} (run ${run}): the rows have landed, and last_run has moved.`,
    ...['', ...lines, ''],
    `The first rows: npx dray runs show ${run} --env ${environment}`,
  ]
  await publish(topic, subject, message.join('\n'), {
    ...noticeOf({ environment, workflow, run, subject, succeeded: true }, detail),
    what: 'checks',
    steps: warned.slice(0, MOST_STEPS),
  })
}

function ownedBy(owner: string | undefined): { readonly owner?: string } {
  return owner === undefined ? {} : { owner }
}

function named(owner: string | undefined): string {
  return owner === undefined ? '' : ` (${owner})`
}

async function publish(topic: string, subject: string, message: string, notice: Notice): Promise<void> {
  const { PublishCommand, SNSClient } = await import('@aws-sdk/client-sns')
  client ??= new SNSClient()
  await client.send(
    new PublishCommand({
      TopicArn: topic,
      // SNS takes 100 ASCII characters.
      Subject: subject.slice(0, 100),
      Message: message,
      MessageAttributes: { [NOTICE_ATTRIBUTE]: { DataType: 'String', StringValue: JSON.stringify(notice) } },
    }),
  )
}

/** What the steps say of columns that no model knows, and did not say in the run before. */
async function newColumns(detail: RunDetail, runs: readonly RunRecord[], state: EndServices['state']) {
  const said = detail.steps.flatMap(({ step, status, notes }) =>
    (notes ?? []).filter(isOfNewColumns).map((reason) => ({ step, status, reason })),
  )
  if (said.length === 0) return []
  const before = runs.find(({ id, startTime }) => id !== detail.run.id && startTime <= detail.run.startTime)
  const known = before === undefined ? null : await state.run(before.id)
  const old = new Set(
    (known?.steps ?? []).flatMap(({ step, notes }) => (notes ?? []).map((note) => `${step}: ${note}`)),
  )
  // What was new in the run before is taken over as a matter of course in this one.
  const fresh = said.filter(({ step, reason }) => !old.has(`${step}: ${reason}`))
  const hadNew = (step: string) => [...old].some((note) => note.startsWith(`${step}: `) && note.includes(ADDED))
  return fresh.filter(({ step, reason }) => !(reason.startsWith(TAKEN_OVER) && hadNew(step)))
}

/** Whether a whole run succeeded and none has since the last one that failed. `runs` are newest first. */
export function isRecovery(run: RunRecord, runs: readonly RunRecord[]): boolean {
  if (!isWhole(run)) return false
  const before = runs.filter(({ id, startTime }) => id !== run.id && startTime <= run.startTime)
  const last = before.find((one) => one.status === 'failed' || (one.status === 'success' && isWhole(one)))
  return last?.status === 'failed'
}

interface Ended {
  readonly environment: string
  readonly workflow: string
  readonly run: string
  readonly subject: string
  readonly succeeded: boolean
}

function noticeOf({ environment, workflow, run, subject, succeeded }: Ended, detail: RunDetail | null): Notice {
  const unsuccessful = succeeded ? [] : (detail?.steps.filter(({ status }) => status !== 'success') ?? [])
  const steps = unsuccessful
    .slice(0, MOST_STEPS)
    .map(({ step, status, error, owner }) => ({ step, status, reason: error ? cut(error) : null, ...ownedBy(owner) }))
  const reasons = unsuccessful.map(({ error }) => error ?? '')
  return {
    ...{ version: 1, id: '', environment, workflow, run, steps, ...ownedBy(process.env.WORKFLOW_OWNER) },
    what: succeeded ? 'recovered' : whatFailed(reasons),
    summary: `${subject}.`,
    reason: detail?.run.error ? cut(detail.run.error) : null,
    command: `npx dray runs show ${run} --env ${environment}`,
    link: consoleLink(`${(process.env.STATE_MACHINE_ARN ?? '').replace(':stateMachine:', ':execution:')}:${run}`),
  }
}

/** By the words that docs/operations.md, "A run failed", has, too. */
export function whatFailed(reasons: readonly string[]): 'failed' | 'schema_changed' | 'quarantine' | 'checks' {
  if (reasons.some((reason) => reason.includes('the models do not fit the databases'))) return 'schema_changed'
  if (reasons.some((reason) => reason.includes('rows were quarantined and at most'))) return 'quarantine'
  return reasons.some((reason) => /\d+ of its \d+ checks do(?:es)? not hold/.test(reason)) ? 'checks' : 'failed'
}

function cut(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS).toWellFormed()} …`
}

/** What, where, the consequence and the remedy. */
export function messageOf(subject: string, run: string, detail: RunDetail | null): string {
  const steps =
    detail?.steps.map(
      ({ step, status, error, owner }) => `  ${step}${named(owner)}: ${status}${error ? `: ${error}` : ''}`,
    ) ?? []
  const owner = process.env.WORKFLOW_OWNER
  return [
    `${subject} (run ${run}).${owner ? ` Owner: ${owner}.` : ''}`,
    '',
    ...(steps.length > 0 ? ['Steps:', ...steps] : ['No step had started.']),
    ...(detail?.run.error ? ['', `Reason: ${detail.run.error}`] : []),
    '',
    'The last_run of the steps that did not succeed stays where it was, so the next run reads the same rows again: nothing is lost.',
    'What to do: docs/operations.md, "A run failed".',
  ].join('\n')
}
