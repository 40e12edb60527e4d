import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { readSecret } from 'dray/internal/lambda/read-secret.ts'
import { AwsApi } from '#test/services/aws-api.ts'

const aws = new AwsApi()
const saved = { ...process.env }

before(async () => {
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: await aws.start(),
    AWS_REGION: 'eu-north-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_MAX_ATTEMPTS: '1',
  })
})
after(async () => {
  process.env = saved
  await aws.stop()
})

const read = () => readSecret('/dray/prod/till/url', 'the URL of the database till')

test('a secret is read, and one without a text is null', async () => {
  aws.secrets.set('/dray/prod/till/url', ' postgres://till \n')
  assert.equal(await read(), 'postgres://till')
  aws.secrets.set('/dray/prod/till/url', '')
  assert.equal(await read(), null)
})

for (const [code, name] of [
  ['ThrottlingException', 'Transient'],
  ['InternalServiceError', 'Transient'],
  ['ResourceNotFoundException', 'Configuration'],
  ['AccessDeniedException', 'Configuration'],
  ['DecryptionFailure', 'Configuration'],
] as const) {
  test(`${code} of Secrets Manager is ${name}, and names the secret and the database`, async (t) => {
    aws.refusals.set('GetSecretValue', code)
    t.after(() => aws.refusals.delete('GetSecretValue'))

    const message = new RegExp(`the URL of the database till.*/dray/prod/till/url.*${code}`)
    await assert.rejects(read(), { name, message })
  })
}
