import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { App, Stack } from 'aws-cdk-lib'
import { Annotations, Match } from 'aws-cdk-lib/assertions'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Notifications } from 'dray-infra/internal/aws/notifications.ts'
import { type EnvironmentOptions, environmentOf } from 'dray-infra/internal/project/environment.ts'
import { type SynthesizedStack, synthesizedStack, testEnvironment } from './synthesized-stack.ts'

const docs = resolve(import.meta.dirname, '../../../docs')

describe('the alarms', () => {
  let stack: SynthesizedStack
  before(async () => {
    stack = await synthesizedStack()
  })
  const alarms = () => stack.ofType('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties)
  const alarm = (says: RegExp) => alarms().find(({ AlarmDescription }) => says.test(AlarmDescription))

  test('have an entry each in the runbook, and the runbook has no entry without one', async () => {
    const runbook = await readFile(join(docs, 'operations.md'), 'utf8')
    const section = runbook.split(/^## /m).find((part) => part.startsWith('Alarms')) ?? ''
    const entries = [...section.matchAll(/^### (.+)$/gm)].map(([, title]) => title)

    const named = alarms().map(({ AlarmDescription }) => /"(.+)"\.$/.exec(AlarmDescription)?.[1])

    assert.deepEqual(entries.sort(), [...new Set(named)].sort())
  })

  test('tell the topic when they fire and when they are over', () => {
    const [topic] = stack.ofType('AWS::SNS::Topic').map(({ Properties }) => Properties.TopicName)

    for (const { AlarmActions, OKActions } of alarms()) {
      assert.match(JSON.stringify(AlarmActions), new RegExp(`:sns:.*:${topic}"`))
      assert.deepEqual(OKActions, AlarmActions)
    }
  })

  test('may publish to the topic of the stack, which is encrypted, and from this account alone', () => {
    const [policy] = stack.ofType('AWS::SNS::TopicPolicy').map(({ Properties }) => Properties.PolicyDocument.Statement)
    const [key] = stack.ofType('AWS::KMS::Key').map(({ Properties }) => Properties.KeyPolicy.Statement)
    const ofAlarms = (statements: { Principal: { Service?: string } }[]) =>
      statements.filter(({ Principal }) => Principal.Service === 'cloudwatch.amazonaws.com')

    const [publishing] = ofAlarms(policy) as unknown as [Record<string, unknown>]
    const [encrypting] = ofAlarms(key) as unknown as [Record<string, unknown>]

    assert.equal(publishing.Action, 'sns:Publish')
    assert.deepEqual(encrypting.Action, ['kms:Decrypt', 'kms:GenerateDataKey'])
    for (const { Condition } of [publishing, encrypting] as { Condition: Record<string, object> }[]) {
      assert.deepEqual(Condition.StringEquals, { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } })
      assert.match(JSON.stringify(Condition.ArnLike), /:cloudwatch:.*"AWS::AccountId".*:alarm:\*/)
    }
  })

  test('and everything else of AWS’s own use the key for this account alone', () => {
    const [key] = stack.ofType('AWS::KMS::Key').map(({ Properties }) => Properties.KeyPolicy.Statement)
    const ofServices = key.filter(({ Principal }: { Principal: { Service?: string } }) => Principal.Service)

    assert.ok(ofServices.length > 0)
    for (const { Condition } of ofServices) assert.ok(Condition?.StringEquals?.['aws:SourceAccount'])
  })

  test('fire when no run has succeeded within the expected time, or when nobody watches any more', () => {
    const found = alarm(/no run has succeeded for more than 26 hours/)

    assert.equal(found?.Threshold, 93_600)
    assert.equal(found?.MetricName, 'SecondsSinceSuccess')
    assert.equal(found?.Namespace, 'Dray/test')
    assert.deepEqual(found?.Dimensions, [{ Name: 'workflow', Value: 'nightly' }])
    assert.equal(found?.TreatMissingData, 'breaching')
  })

  test('count failed, timed out and aborted executions', () => {
    const metrics = alarm(/an execution failed/)?.Metrics as { MetricStat?: { Metric: { MetricName: string } } }[]

    const names = metrics.flatMap(({ MetricStat }) => MetricStat?.Metric.MetricName ?? [])
    assert.deepEqual(names, ['ExecutionsFailed', 'ExecutionsTimedOut', 'ExecutionsAborted'])
  })

  test('count a kind of which there is no data as none, so that the others are seen', () => {
    const sums = alarms().flatMap(({ Metrics = [] }) =>
      (Metrics as { Expression?: string; Id: string }[]).flatMap(({ Expression = [] }) => Expression),
    )

    assert.ok(sums.length > 0)
    for (const sum of sums) assert.match(sum, /^FILL\(\w+, 0\)( \+ FILL\(\w+, 0\))*$/)
  })

  test('are neither loud nor silent for want of data: each does what its metric wants then', () => {
    const missing = alarms().map(({ AlarmDescription, TreatMissingData }) => [
      /"(.+)"\.$/.exec(AlarmDescription)?.[1],
      TreatMissingData,
    ])

    assert.deepEqual(Object.fromEntries(missing), {
      // The janitor that measures is gone.
      'No success in time': 'breaching',
      // No pipeline has a `last_run`; that of the janitor above.
      'Data is late': 'notBreaching',
      // Nothing ran, nothing was refused.
      'A run failed': 'notBreaching',
      'A fenced writer': 'notBreaching',
      // Messages stay in a queue of which there are no metrics any more.
      'Lost starts': 'ignore',
      'Lost ends': 'ignore',
    })
  })

  test('send mail to whom the environment names', async () => {
    const mailed = await synthesizedStack({ notify: { emails: ['etl@example.com'] } })

    const [subscription] = mailed.ofType('AWS::SNS::Subscription')
    assert.equal(subscription?.Properties.Protocol, 'email')
    assert.equal(subscription?.Properties.Endpoint, 'etl@example.com')
  })

  const watchedBy: [environment: string, notify: NonNullable<EnvironmentOptions['notify']>, warns: boolean][] = [
    ['prod', {}, true],
    ['eu-production', {}, true],
    ['prod', { emails: ['etl@example.com'] }, false],
    ['prod', { topicArn: 'arn:aws:sns:eu-north-1:123456789012:on-call' }, false],
    ['dev', {}, false],
    ['products', {}, false],
  ]
  for (const [environment, notify, warns] of watchedBy) {
    const told = 'emails' in notify ? 'an address' : 'topicArn' in notify ? 'a topic' : 'nobody'

    test(`${warns ? 'are warned about' : 'cause no warning'} at synth in ${environment} with ${told} to tell`, () => {
      const stack = new Stack(new App(), 'Stack')
      const settings = environmentOf(environment, { ...testEnvironment, notify }).notify

      new Notifications(stack, 'Notifications', { environment, key: new Key(stack, 'Key'), settings })

      const warnings = Annotations.fromStack(stack).findWarning('*', Match.stringLikeRegexp('names nobody to notify'))
      assert.equal(warnings.length, warns ? 1 : 0)
    })
  }

  test('go to a topic that is there already', async () => {
    const topicArn = 'arn:aws:sns:eu-north-1:123456789012:on-call'

    const given = await synthesizedStack({ notify: { topicArn } })

    assert.equal(given.ofType('AWS::SNS::Topic').length, 0)
    for (const { Properties } of given.ofType('AWS::CloudWatch::Alarm')) {
      assert.deepEqual(Properties.AlarmActions, [topicArn])
    }
  })

  test('are on a dashboard with what a run did', () => {
    const [dashboard] = stack.ofType('AWS::CloudWatch::Dashboard')
    const body = JSON.stringify(dashboard?.Properties.DashboardBody)

    for (const metric of [
      'RowsRead',
      'RowsQuarantined',
      'FreshnessSeconds',
      'Fenced',
      'ExecutionsFailed',
      'RunUsDollars',
    ]) {
      assert.ok(body.includes(metric), `${metric} is not on the dashboard`)
    }
  })
})
