import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, beforeEach, describe, mock, test } from 'node:test'
import type { Context } from 'aws-lambda'
import { deliver } from 'dray/internal/lambda/deliver.ts'
import type { Notice } from 'dray/internal/messages/notice.ts'
import { AwsApi } from '#test/services/aws-api.ts'

const context = { functionName: 'notify', awsRequestId: 'r' } as Context
const HIDDEN = 'T000/B000/hidden'

const failed: Notice = {
  ...{ version: 1, id: '', what: 'failed', environment: 'prod', summary: 'daily failed in prod.', workflow: 'daily' },
  ...{
    run: 'r-1',
    steps: [{ step: 'orders', status: 'failed', reason: 'Terminal: <a> & b' }],
    reason: 'orders failed.',
  },
  command: 'npx dray runs show r-1 --env prod',
  link: 'https://eu-north-1.console.aws.amazon.com/states/home?region=eu-north-1#/v2/executions/details/x',
}

const published = (message: string, said: Notice | null) => ({
  Records: [
    {
      EventSource: 'aws:sns',
      Sns: {
        MessageId: 'm-1',
        Subject: null,
        Message: message,
        MessageAttributes: said === null ? {} : { notice: { Type: 'String', Value: JSON.stringify(said) } },
      },
    },
  ],
})
const ofRun = (more: Partial<Notice> = {}) => published('daily failed in prod (run r-1).', { ...failed, ...more })
const ofAlarm = (more: object = {}) =>
  published(
    JSON.stringify({
      AlarmName: 'Dray-prod-Late',
      AlarmDescription:
        'daily in prod: rows that changed in a source more than 26 hours ago are not in the warehouse. What to do: docs/operations.md, "Data is late".',
      AlarmArn: 'arn:aws:cloudwatch:eu-north-1:123456789012:alarm:Dray-prod-Late',
      NewStateValue: 'ALARM',
      OldStateValue: 'OK',
      ...more,
    }),
    null,
  )

interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

describe('notify', () => {
  const aws = new AwsApi()
  const saved = { ...process.env }
  const received: Received[] = []
  /** The answers to the next requests, then 200; 0 is none. */
  let answers: number[] = []
  const server = createServer(async (request, response) => {
    const status = answers.shift() ?? 200
    received.push({ path: request.url ?? '', headers: request.headers, body: await text(request).catch(() => '') })
    if (status !== 0) response.writeHead(status, { 'retry-after': '0' }).end('no')
  })
  let place: string
  let handler: typeof import('#test/fixture/functions/dray/notify.ts').handler
  const logged: string[] = []
  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    place = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: await aws.start(),
      AWS_REGION: 'eu-north-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_MAX_ATTEMPTS: '1',
      DRAY_ENVIRONMENT: 'prod',
      NOTIFY_SECRET_ARN: '/dray/prod/notify',
    })
    for (const stream of [process.stdout, process.stderr] as const) {
      const write = stream.write.bind(stream)
      mock.method(stream, 'write', (chunk: string, ...rest: never[]) => {
        logged.push(String(chunk))
        return String(chunk).startsWith('{"level"') || write(chunk, ...rest)
      })
    }
    const { handler: loaded } = await import('#test/fixture/functions/dray/notify.ts')
    handler = loaded
  })
  beforeEach(async () => {
    Object.assign(process.env, { NOTIFY_BY: 'slack' })
    aws.secrets.set('/dray/prod/notify', `${place}/services/${HIDDEN}`)
    // What a warm function remembers of another test is forgotten with a refusal.
    answers = [404]
    await assert.rejects(handler(ofRun(), context))
    answers = []
    received.length = logged.length = 0
  })
  after(async () => {
    mock.restoreAll()
    process.env = saved
    server.closeAllConnections()
    server.close()
    await aws.stop()
  })
  const webhook = (sign: 'hmac' | 'bearer') => {
    Object.assign(process.env, { NOTIFY_BY: 'webhook', NOTIFY_URL: `${place}/hook`, NOTIFY_SIGN: sign })
    aws.secrets.set('/dray/prod/notify', HIDDEN)
  }

  test('says in Slack what failed, why, what to type and where to look, with nothing that Slack would read as markup', async () => {
    assert.deepEqual(await handler(ofRun(), context), { sent: 1 })

    const [message, ...more] = received
    const { text: short, blocks } = JSON.parse(message?.body ?? '{}')
    assert.deepEqual([message?.path, more], [`/services/${HIDDEN}`, []])
    assert.equal(message?.headers['content-type'], 'application/json')
    assert.equal(short, ':red_circle: Failed: daily failed in prod.')
    assert.deepEqual(
      blocks.map((block: { text: { text: string } }) => block.text.text),
      [
        '*:red_circle: Failed*\ndaily failed in prod.\nRun `r-1`',
        '• *orders* failed: Terminal: &lt;a&gt; &amp; b',
        `\`npx dray runs show r-1 --env prod\`   <${failed.link}|Console>`,
      ],
    )
  })

  test('sends a webhook the notice, signed by what the secret holds', async () => {
    webhook('hmac')

    await handler(ofRun({ what: 'quarantine' }), context)

    const [{ body, headers, path } = { body: '', headers: {}, path: '' }] = received
    assert.equal(path, '/hook')
    assert.deepEqual(JSON.parse(body), { ...failed, what: 'quarantine', id: 'm-1' })
    const signature = createHmac('sha256', HIDDEN).update(`${headers['x-dray-timestamp']}.${body}`).digest('hex')
    assert.equal(headers['x-dray-signature'], `sha256=${signature}`)
  })

  test('sends a webhook the secret itself as a bearer token where the environment says so', async () => {
    webhook('bearer')

    await handler(ofRun(), context)

    assert.equal(received[0]?.headers.authorization, `Bearer ${HIDDEN}`)
    assert.equal(received[0]?.headers['x-dray-signature'], undefined)
  })

  test('says that data is late, and that an alarm is over, with the alarm in the console', async () => {
    webhook('hmac')

    await handler(ofAlarm(), context)
    await handler(ofAlarm({ NewStateValue: 'OK', OldStateValue: 'ALARM' }), context)

    const said = received.map(({ body }) => JSON.parse(body))
    assert.deepEqual(
      said.map(({ what, workflow, summary }) => [what, workflow, summary]),
      [
        [
          'late',
          'daily',
          'daily in prod: rows that changed in a source more than 26 hours ago are not in the warehouse.',
        ],
        ['over', 'daily', 'daily in prod: the alarm "Data is late" is over.'],
      ],
    )
    assert.equal(
      said[0].link,
      'https://eu-north-1.console.aws.amazon.com/cloudwatch/home?region=eu-north-1#alarmsV2:alarm/Dray-prod-Late',
    )
  })

  for (const [what, event] of [
    ['a run of another environment', ofRun({ environment: 'dev' })],
    [
      'an alarm of another environment',
      ofAlarm({ AlarmDescription: 'daily in dev: x. What to do: docs/operations.md, "Lost starts".' }),
    ],
    ['an alarm of somebody else', ofAlarm({ AlarmDescription: 'CPU is high' })],
    ['an alarm that is new and finds nothing', ofAlarm({ NewStateValue: 'OK', OldStateValue: 'INSUFFICIENT_DATA' })],
    ['a text of somebody else', published('lunch is ready', null)],
    [
      'the alarm of failed runs, which the run itself has said',
      ofAlarm({
        AlarmDescription: 'daily in prod: an execution failed. What to do: docs/operations.md, "A run failed".',
      }),
    ],
  ] as const) {
    test(`says nothing of ${what}`, async () => {
      assert.deepEqual(await handler(event, context), { sent: 0 })
      assert.deepEqual(received, [])
    })
  }

  test('tries again when the receiver has a fault of its own or is asked too often', async () => {
    answers = [503, 429]

    assert.deepEqual(await handler(ofRun(), context), { sent: 1 })
    assert.equal(received.length, 3)
  })

  test('fails when the receiver stays away, so that Lambda calls it again', async () => {
    answers = [500, 502, 503]

    await assert.rejects(handler(ofRun(), context), {
      name: 'Transient',
      message: /^Slack did not take .*answered 503/,
    })
  })

  test('reads the secret again after a refusal', async () => {
    await handler(ofRun(), context)
    aws.secrets.set('/dray/prod/notify', `${place}/services/new`)
    answers = [404]

    await assert.rejects(handler(ofRun(), context), { name: 'Configuration', message: /^Slack refused .* 404/ })
    await handler(ofRun(), context)

    assert.deepEqual(
      received.map(({ path }) => path),
      [`/services/${HIDDEN}`, `/services/${HIDDEN}`, '/services/new'],
    )
  })

  test('never logs the URL of Slack or a secret, nor has it in an error', async () => {
    const errors: string[] = []
    const fail = async () => {
      const error = await handler(ofRun(), context).then(
        () => null,
        (thrown: unknown) => thrown,
      )
      errors.push(`${(error as Error).stack} ${JSON.stringify(error)} ${String((error as Error).cause)}`)
    }
    answers = [403]
    await fail()
    aws.secrets.set('/dray/prod/notify', `http://127.0.0.1:1/${HIDDEN}`)
    await fail()
    aws.secrets.set('/dray/prod/notify', `http://slack.example.com/${HIDDEN}`)
    await fail()
    webhook('bearer')
    answers = [401]
    await fail()

    assert.deepEqual(errors.length, 4)
    assert.ok(logged.some((line) => line.includes('refused the message with 403')))
    for (const line of [...logged, ...errors]) assert.ok(!line.includes(HIDDEN), line)
  })

  test('gives up a try that is not answered, and takes the next one', async () => {
    answers = [0]
    const delivery = { to: 'The webhook', url: new URL(`${place}/slow`), headers: {}, body: '{}' }

    await deliver(delivery, { timeout: 1000, pause: 1 })
    answers = [0, 0, 0]
    await assert.rejects(deliver(delivery, { timeout: 1000, pause: 1 }), {
      name: 'Transient',
      message: /did not answer within 1000 ms/,
    })
  })
})
