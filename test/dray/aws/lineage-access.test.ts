import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { environmentOf } from 'dray-infra/internal/project/environment.ts'
import { synthesizedStack, testEnvironment } from './synthesized-stack.ts'

const lineage = { url: 'https://lineage.example.com', apiKeySecret: '/dray/test/lineage' }
const vpc = {
  id: 'vpc-0123456789abcdef0',
  subnets: [{ id: 'subnet-0123456789abcdef0', availabilityZone: 'eu-north-1a', routeTable: 'rtb-0123456789abcdef0' }],
}
// Pipelines and workflows have each their Finish.
const tellers = ['dray/plan', 'dray/commit', 'dray/finish', 'dray/finish', 'dray/janitor', 'data-mart/run'].map(
  (name) => `functions/${name}.ts`,
)

describe('the lineage of an environment', () => {
  const told = async (options: Parameters<typeof synthesizedStack>[0]) => {
    const stack = await synthesizedStack(options)
    const functions = stack.ofType('AWS::Lambda::Function').filter(({ Properties }) => Properties.Environment)
    const urls = functions.map(({ Properties: { Description, Environment } }) => [
      Description,
      Environment.Variables.OPENLINEAGE_URL,
      'OPENLINEAGE_API_KEY_SECRET_ARN' in Environment.Variables,
    ])
    return urls.filter(([, url]) => url !== undefined).toSorted()
  }

  test('is told to nobody unless the environment says so', async () => {
    assert.deepEqual(await told({}), [])
  })

  test('is told by the functions that begin and end steps, with the key as a secret', async () => {
    assert.deepEqual(await told({ lineage }), tellers.map((handler) => [handler, lineage.url, true]).toSorted())
  })

  test('is kept by functions in a network, and told by Finish and janitor, which are outside', async () => {
    assert.deepEqual(
      await told({ lineage, vpc }),
      tellers
        .map((handler) => (/finish|janitor/.test(handler) ? [handler, lineage.url, true] : [handler, 'kept:', false]))
        .toSorted(),
    )
  })

  test('needs the key in the roles that send, and in no other', async () => {
    const policies = async (options: Parameters<typeof synthesizedStack>[0]) =>
      (await synthesizedStack(options))
        .ofType('AWS::IAM::Policy')
        .filter((policy) => JSON.stringify(policy).includes('/dray/test/lineage')).length

    assert.deepEqual([await policies({}), await policies({ lineage }), await policies({ lineage, vpc })], [0, 5, 2])
  })

  test('goes over TLS only', () => {
    assert.throws(
      () => environmentOf('test', { ...testEnvironment, lineage: { url: 'http://lineage.example.com' } }),
      /lineage\.url|begins with https/,
    )
  })

  test('has no password in its URL, where everybody would see it', () => {
    const url = 'https://some:secret@lineage.example.com'

    assert.throws(
      () => environmentOf('test', { ...testEnvironment, lineage: { url } }),
      (error: Error) => {
        assert.match(error.message, /apiKeySecret\s.*lineage\.url/s)
        assert.doesNotMatch(error.message, /:secret@/)
        return true
      },
    )
  })
})

describe('the metrics of runs', () => {
  test('are kept by every function as long as the environment says', async () => {
    const keptDays = async (options: Parameters<typeof synthesizedStack>[0]) => {
      const stack = await synthesizedStack(options)
      const days = stack
        .ofType('AWS::Lambda::Function')
        .flatMap(({ Properties: { Description, Environment } }) =>
          Description?.startsWith('functions/') ? [Environment.Variables.STATE_KEEP_RUNS_DAYS] : [],
        )
      return [...new Set(days)]
    }

    assert.deepEqual(await keptDays({}), ['90'])
    assert.deepEqual(await keptDays({ retention: { metrics: 400 } }), ['400'])
  })
})
