import type { SNSClient } from '@aws-sdk/client-sns'
import type { RunDetail } from '#dray/state/state-store.ts'
import type { EndServices } from '#dray/triggers/end-run.ts'
import type { TriggeredWorkflow } from '#dray/triggers/request-run.ts'

const verbs = { FAILED: 'failed', TIMED_OUT: 'timed out', ABORTED: 'was aborted' } as const

let client: SNSClient | null = null

/** Tells the people behind `NOTIFICATION_TOPIC_ARN`, in words, how a run ended and what to do. */
export async function notifyOfFailure(
  workflow: TriggeredWorkflow,
  run: string,
  status: keyof typeof verbs,
  { state }: EndServices,
): Promise<void> {
  const topic = process.env.NOTIFICATION_TOPIC_ARN
  if (!topic) return
  const { PublishCommand, SNSClient } = await import('@aws-sdk/client-sns')
  client ??= new SNSClient()
  const environment = process.env.DRAY_ENVIRONMENT ?? ''
  const subject = `${workflow.name} ${verbs[status]} in ${environment}`
  await client.send(
    new PublishCommand({
      TopicArn: topic,
      // SNS takes 100 ASCII characters.
      Subject: subject.slice(0, 100),
      Message: messageOf(subject, run, await state.run(run)),
    }),
  )
}

/** What, where, the consequence and the remedy. */
export function messageOf(subject: string, run: string, detail: RunDetail | null): string {
  const steps = detail?.steps.map(({ step, status, error }) => `  ${step}: ${status}${error ? `: ${error}` : ''}`) ?? []
  return [
    `${subject} (run ${run}).`,
    '',
    ...(steps.length > 0 ? ['Steps:', ...steps] : ['No step had started.']),
    ...(detail?.run.error ? ['', `Reason: ${detail.run.error}`] : []),
    '',
    'The last_run of the steps that did not succeed stays where it was, so the next run reads the same rows again: nothing is lost.',
    'What to do: docs/operations.md, "A run failed".',
  ].join('\n')
}
