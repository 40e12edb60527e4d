import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { CloudFormationClient } from '@aws-sdk/client-cloudformation'
import { environmentOf } from 'dray-infra/internal/project/environment.ts'
import { findEnvironment } from 'dray-infra/internal/remote/deployed-environment.ts'
import { AwsApi } from '#test/services/aws-api.ts'

describe('findEnvironment', () => {
  const aws = new AwsApi()
  let client: CloudFormationClient
  before(async () => {
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
    client = new CloudFormationClient({ endpoint: await aws.start(), region: 'eu-north-1', credentials })
    const outputs = { StateTable: 'table', StagingBucket: 'bucket', DailyMachine: 'arn:daily' }
    aws.cloudFormation.stacks.set('Dray-test', { status: 'CREATE_COMPLETE', outputs, logGroups: [] })
  })
  after(async () => {
    client.destroy()
    await aws.stop()
  })

  const settings = (account?: string) =>
    environmentOf('test', { databases: {}, expected: {}, ...(account === undefined ? {} : { account }) })

  test('has the places that the stack says', async () => {
    const found = await findEnvironment(settings(), client)

    assert.deepEqual(
      [found.stateTable, found.stagingUrl, found.machineOf('daily')],
      ['table', 's3://bucket', 'arn:daily'],
    )
  })

  test('refuses a workflow that the stack does not have yet', async () => {
    const found = await findEnvironment(settings(), client)

    assert.throws(() => found.machineOf('hourly'), {
      name: 'Configuration',
      message: /Dray-test \(CREATE_COMPLETE\) has no output HourlyMachine.*`npx dray deploy test`/,
    })
  })

  test('refuses credentials of another account than the settings say', async () => {
    await assert.doesNotReject(findEnvironment(settings(aws.cloudFormation.account), client))

    await assert.rejects(findEnvironment(settings('999999999999'), client), {
      name: 'Configuration',
      message: /is in the account 999999999999, and the credentials are of 123456789012/,
    })
  })
})
