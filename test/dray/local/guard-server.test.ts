import assert from 'node:assert/strict'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { newToken } from 'dray-infra/internal/local/guard-server.ts'
import { type Endpoints, startEndpoints } from 'dray-infra/internal/local/isolated/endpoints.ts'
import { RuntimeApi } from 'dray-infra/internal/local/isolated/runtime-api.ts'
import { type StateServer, startStateServer } from 'dray-infra/internal/local/isolated/state-server.ts'
import { type LocalTable, openLocalTable } from '#test/state/local/open-local-table.ts'

const signed = (key: string) =>
  `AWS4-HMAC-SHA256 Credential=${key}/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0`
const runtime = new RuntimeApi({
  onTaken: () => assert.fail('a stranger has taken a call'),
  onResponse: () => assert.fail('a stranger has answered a call'),
  onError: () => assert.fail('a stranger has failed a call'),
  onInitError: () => assert.fail('a stranger has ended the runtime'),
})
let local: LocalTable
let dynamodb: StateServer
let endpoints: Endpoints
let token: string
let servers: Record<string, { readonly url: string; readonly method: string; readonly knows: string }>

before(async () => {
  local = openLocalTable()
  dynamodb = await startStateServer(local.path)
  token = new URL(dynamodb.endpoint).username
  endpoints = await startEndpoints({ dynamodb: dynamodb.endpoint, token, bucket: 'staging' })
  const runtimeApi = await runtime.start()
  servers = {
    DynamoDB: { url: new URL(dynamodb.endpoint).origin, method: 'POST', knows: signed(token) },
    S3: { url: `${endpoints.s3}/staging`, method: 'GET', knows: signed(token) },
    EventBridge: { url: endpoints.variables.AWS_ENDPOINT_URL_EVENTBRIDGE ?? '', method: 'POST', knows: signed(token) },
    'the Runtime API': { url: `http://${runtimeApi}/2018-06-01/other`, method: 'GET', knows: runtime.token },
  }
})
after(async () => {
  runtime.stop()
  await endpoints.stop()
  await dynamodb.stop()
  local.close()
})

async function ask(name: string, headers: Record<string, string>) {
  const { url, method } = servers[name] as (typeof servers)[string]
  return new Promise<{ status: number; cors: string | undefined; body: string }>((resolve, reject) => {
    const asked = request(url, { method, headers: { 'x-amz-target': 'DynamoDB_20120810.ListTables', ...headers } })
    asked.on('error', reject)
    asked.on('response', async (response) => {
      const cors = response.headers['access-control-allow-origin'] as string | undefined
      resolve({ status: response.statusCode ?? 0, cors, body: await text(response) })
    })
    asked.end(method === 'POST' ? '{}' : undefined)
  })
}

for (const name of ['DynamoDB', 'S3', 'EventBridge', 'the Runtime API']) {
  describe(`the local server of ${name}`, () => {
    const knows = () => servers[name]?.knows ?? ''
    const strangers: Record<string, () => Record<string, string>> = {
      'knows no token': () => ({}),
      'knows another token': () => ({ authorization: knows().replace(/[0-9a-f]{40}/, newToken()) }),
      'knows a part of the token': () => ({ authorization: knows().replace(/[0-9a-f]{40}/, (all) => all.slice(1)) }),
      'is a page in a browser': () => ({ authorization: knows(), origin: 'https://example.com' }),
      'comes by the name of another host': () => ({ authorization: knows(), host: 'rebound.example.com' }),
    }
    for (const [who, headers] of Object.entries(strangers)) {
      test(`refuses who ${who}`, async () => {
        const { status, cors, body } = await ask(name, headers())

        assert.equal(status, 403)
        assert.equal(cors, undefined)
        assert.match(body, /AccessDenied/)
      })
    }

    test('answers who knows the token', async () => {
      const { status } = await ask(name, { authorization: knows() })

      assert.notEqual(status, 403)
    })
  })
}
