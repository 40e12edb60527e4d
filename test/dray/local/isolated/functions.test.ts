import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { S3Client } from '@aws-sdk/client-s3'
import { writeJson } from 'dray/internal/staging/documents.ts'
import { S3StagingStore } from 'dray/internal/staging/s3-staging-store.ts'
import { bundlesOf } from 'dray-infra/internal/aws/create-stacks.ts'
import { outsideHandlers } from 'dray-infra/internal/aws/deployed-handlers.ts'
import { deployedWorkflows } from 'dray-infra/internal/aws/deployed-workflows.ts'
import { bundleHandlers } from 'dray-infra/internal/aws/handler-bundles.ts'
import { startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { startEndpoints } from 'dray-infra/internal/local/isolated/endpoints.ts'
import { isolatedFunctions } from 'dray-infra/internal/local/isolated/functions.ts'
import { Instance, type IsolatedFunction } from 'dray-infra/internal/local/isolated/instance.ts'
import { environmentOf } from 'dray-infra/internal/project/environment.ts'
import { type SynthesizedStack, synthesizedStack, testEnvironment } from '#test/aws/synthesized-stack.ts'
import { fixtureFolder, fixtureProject } from '#test/fixture-project.ts'

const environment = {
  SHOP_DATABASE_URL: 'mysql://u@127.0.0.1:1/shop',
  TILL_DATABASE_URL: 'postgres://u@127.0.0.1:1/till',
  LAKE_DATABASE_URL: 'postgres://u@127.0.0.1:1/lake',
}

describe('the isolated functions', () => {
  let folder: string
  let functions: ReadonlyMap<string, IsolatedFunction>
  let stack: SynthesizedStack
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-isolated-'))
    const places = {
      stateTable: 'dray',
      stagingUrl: `s3://staging`,
      environment,
      endpoints: { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' },
    }
    functions = await isolatedFunctions(await fixtureProject(), places, folder)
    stack = await synthesizedStack()
  })
  after(() => rm(folder, { recursive: true }))

  test('are the bundles that are deployed, byte for byte, where the databases are of the same engines', async () => {
    const wanted = bundlesOf(await deployedWorkflows(await fixtureProject()), environmentOf('test', testEnvironment))

    const deployed = await bundleHandlers(wanted, fixtureFolder, folder)

    for (const [handler, { folder: bundle }] of functions) {
      assert.equal(basename(bundle), basename(deployed.get(handler) ?? ''), handler)
    }
  })

  test('are all that the state machines call', () => {
    const deployed = stack
      .ofType('AWS::Lambda::Function')
      .map(({ Properties }) => Properties.Description as string)
      .filter((handler) => handler?.startsWith('functions/') && !outsideHandlers.includes(handler))

    assert.deepEqual([...functions.keys()].toSorted(), [...new Set(deployed)].toSorted())
  })

  test('have the variables that the stack sets, with URLs for secrets, and the endpoints', () => {
    for (const [handler, isolated] of functions) {
      // Finish is there twice; that of pipelines which are started by hand tells no bus.
      const [names = []] = stack
        .ofType('AWS::Lambda::Function')
        .filter(({ Properties }) => Properties.Description === handler)
        .map(({ Properties }) => Object.keys(Properties.Environment.Variables))
        .toSorted((one, other) => other.length - one.length)
      const given = names
        .filter((name) => name !== 'NODE_EXTRA_CA_CERTS')
        .map((name) => name.replace(/_SECRET_ARN$/, ''))

      assert.deepEqual(
        Object.keys(isolated.environment).toSorted(),
        [...given, 'AWS_ENDPOINT_URL_S3'].toSorted(),
        handler,
      )
    }
  })

  test('do not know the databases that are none of their business', () => {
    const known = ['customers/extract', 'customers/transform', 'customers/load', 'dray/plan'].map((name) =>
      Object.keys(functions.get(`functions/${name}.ts`)?.environment ?? {}).filter((key) => key.includes('DATABASE')),
    )

    const [shop, lake] = ['SHOP_DATABASE_URL', 'LAKE_DATABASE_URL']
    assert.deepEqual(known, [[shop], [], [lake], [lake, shop, 'TILL_DATABASE_URL']])
  })

  test('fail by the name of the variable when they reach for another database', async (context) => {
    const dynamodb = await startDynamoDb()
    context.after(() => dynamodb.stop())
    const token = new URL(dynamodb.endpoint).username
    const endpoints = await startEndpoints({ dynamodb: dynamodb.endpoint, token, bucket: 'staging' })
    context.after(() => endpoints.stop())
    const store = s3StoreOf(endpoints.s3, token)
    const plan = await writeJson(store, 'runs/r/customers/_plan', {
      window: null,
      partitions: [{ after: null, upTo: null }],
    })
    const isolated = functions.get('functions/customers/extract.ts') as IsolatedFunction
    const { SHOP_DATABASE_URL: _, ...others } = isolated.environment
    const instance = new Instance({ ...isolated, environment: { ...others, ...endpoints.variables } })
    context.after(() => instance.kill())

    const run = { id: 'r', workflow: 'daily', started_at: '2026-01-01T00:00:00.000Z', trigger: 'manual' }
    const call = instance.invoke({ run, pipeline: 'customers', plan, epoch: 1, partition: 0 }, 60)

    await assert.rejects(call, { name: 'Configuration', message: /SHOP_DATABASE_URL/ })
  })
})

function s3StoreOf(endpoint: string, accessKeyId: string): S3StagingStore {
  const credentials = { accessKeyId, secretAccessKey: 'test' }
  const client = new S3Client({ endpoint, region: 'eu-north-1', forcePathStyle: true, credentials })
  return new S3StagingStore({ bucket: 'staging', client })
}
