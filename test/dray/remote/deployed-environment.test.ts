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
    const outputs = { StateTable: 'table', StagingBucket: 'bucket' }
    aws.cloudFormation.stacks.set('Dray-test', { status: 'CREATE_COMPLETE', outputs })
  })
  after(async () => {
    client.destroy()
    await aws.stop()
  })

  const settings = (account?: string) =>
    environmentOf('test', { databases: {}, expected: {}, ...(account === undefined ? {} : { account }) })

  test('has the places that the stack says, and state machines by their names in its account and region', async () => {
    const found = await findEnvironment(settings(), client)

    assert.deepEqual(
      [found.stateTable, found.stagingUrl, found.machineOf('daily')],
      ['table', 's3://bucket', 'arn:aws:states:eu-north-1:123456789012:stateMachine:Dray-test_daily_workflow'],
    )
  })

  test('refuses a stack that has not been deployed to its end', async () => {
    aws.cloudFormation.stacks.set('Dray-half', { status: 'ROLLBACK_COMPLETE', outputs: {} })

    await assert.rejects(findEnvironment({ ...settings(), name: 'half' }, client), {
      name: 'Configuration',
      message: /Dray-half \(ROLLBACK_COMPLETE\) has no output StateTable.*`npx dray deploy half`/,
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
