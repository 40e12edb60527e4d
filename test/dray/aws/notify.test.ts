import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { environmentOf } from 'dray-infra/internal/project/environment.ts'
import {
  type Resource,
  type SynthesizedStack,
  statementsOf,
  synthesizedStack,
  testEnvironment,
} from './synthesized-stack.ts'

const KEY = 'arn:aws:kms:eu-north-1:123456789012:key/11111111-2222-3333-4444-555555555555'
const notify = {
  slack: { secret: '/dray/test/slack', encryptionKey: KEY },
  webhook: { url: 'https://hooks.example.com/dray', secret: '/dray/test/webhook' },
}

describe('Slack and a webhook', () => {
  let stack: SynthesizedStack
  before(async () => {
    stack = await synthesizedStack({ notify })
  })
  const notifiers = ({ ofType }: SynthesizedStack) =>
    ofType('AWS::Lambda::Function').filter(({ Properties }) => Properties.Description === 'functions/dray/notify.ts')
  const by = (name: string) =>
    notifiers(stack).find(({ Properties }) => Properties.Environment.Variables.NOTIFY_BY === name) as Resource

  test('have no function where the environment does not name them', async () => {
    assert.deepEqual(notifiers(await synthesizedStack()), [])
  })

  test('have a function each, which the topic calls, and nobody else', () => {
    const subscriptions = stack.ofType('AWS::SNS::Subscription').map(({ Properties }) => Properties)
    const permissions = stack
      .ofType('AWS::Lambda::Permission')
      .map(({ Properties }) => Properties)
      .filter(({ Principal }) => Principal === 'sns.amazonaws.com')

    assert.equal(notifiers(stack).length, 2)
    assert.deepEqual(
      subscriptions.map(({ Protocol }) => Protocol),
      ['lambda', 'lambda'],
    )
    assert.equal(permissions.length, 2)
    for (const { SourceArn } of permissions) assert.match(JSON.stringify(SourceArn), /:sns:.*:Dray-test_notifications"/)
  })

  test('read their own secret alone, and decrypt it by Secrets Manager alone', () => {
    const secrets = (name: string) =>
      statementsOf(stack, stack.roleOf(by(name))).filter(({ actions }) =>
        actions.some((action) => /^(secretsmanager|kms):/.test(action)),
      )

    const [reading, decrypting, ...more] = secrets('slack')
    assert.deepEqual(
      [reading?.actions, decrypting?.actions, more],
      [['secretsmanager:GetSecretValue'], ['kms:Decrypt'], []],
    )
    assert.match(reading?.resources.join() ?? '', /:secret:\/dray\/test\/slack-\?{6}"/)
    assert.deepEqual(decrypting?.resources, [KEY])
    assert.match(JSON.stringify(decrypting?.condition), /kms:ViaService.*secretsmanager\./)
    assert.deepEqual(
      secrets('webhook').map(({ actions, resources }) => [
        actions,
        /\/dray\/test\/webhook-\?{6}/.test(resources.join()),
      ]),
      [[['secretsmanager:GetSecretValue'], true]],
    )
  })

  test('do nothing else than log, trace and put aside what they have failed of', () => {
    for (const name of ['slack', 'webhook']) {
      const actions = statementsOf(stack, stack.roleOf(by(name))).flatMap(({ actions: these }) => these)
      assert.deepEqual(actions.filter((action) => !/^(secretsmanager|kms):/.test(action)).sort(), [
        'logs:CreateLogStream',
        'logs:PutLogEvents',
        'sqs:SendMessage',
        'xray:PutTelemetryRecords',
        'xray:PutTraceSegments',
      ])
    }
  })

  test('are named to their functions, without the secrets', () => {
    assert.equal(by('slack').Properties.Environment.Variables.NOTIFY_URL, undefined)
    assert.equal(by('webhook').Properties.Environment.Variables.NOTIFY_URL, notify.webhook.url)
    assert.equal(by('webhook').Properties.Environment.Variables.NOTIFY_SIGN, 'hmac')
    for (const name of ['slack', 'webhook'] as const) {
      const arn = JSON.stringify(by(name).Properties.Environment.Variables.NOTIFY_SECRET_ARN)
      assert.match(arn, new RegExp(`:secret:/dray/test/${name}"`))
    }
    assert.doesNotMatch(JSON.stringify(stack.resources), /resolve:secretsmanager/)
  })

  test('have no password in the URL of a webhook, and TLS', () => {
    for (const [url, message] of [
      ['http://hooks.example.com', /begins with https/],
      ['https://a:hidden@hooks.example.com', /name that as secret/],
    ] as const) {
      assert.throws(
        () => environmentOf('test', { ...testEnvironment, notify: { webhook: { url } } }),
        (error: Error) => message.test(error.message) && !error.message.includes('hidden'),
      )
    }
  })
})
