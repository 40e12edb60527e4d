import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { AwsApi } from '#test/services/aws-api.ts'
import { dray, temporaryHome } from './dray-process.ts'

/*
 * dray deploy and dray diff around the real CDK CLI. There is no account to deploy to: a template at hand stands for
 * the deployed stack, and a server of the tests for an AWS that refuses.
 */

const nobody = {
  AWS_REGION: undefined,
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_EC2_METADATA_DISABLED: 'true',
}
const signedIn = { AWS_REGION: 'eu-north-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }

describe('dray diff, dray deploy and dray destroy', () => {
  const { home, remove } = temporaryHome()
  const folder = mkdtempSync(join(tmpdir(), 'dray-diff-'))
  after(() => {
    remove()
    rmSync(folder, { recursive: true })
  })

  it('diff shows what of the stack would change, by the CDK CLI and its options; against a template with no account', async () => {
    const template = join(folder, 'deployed.json')
    writeFileSync(template, JSON.stringify({ Resources: { Gone: { Type: 'AWS::SNS::Topic' } } }))

    const given = ['--template', template, '--fail', '--output', join(folder, 'out')]
    const { code, stdout, stderr } = await dray(home, ['diff', 'dev', '--', ...given], {
      ...nobody,
      NO_COLOR: '1',
    })

    assert.equal(code, 1, stderr)
    assert.match(`${stdout}${stderr}`, /^Stack Dray-dev$/m)
    assert.match(`${stdout}${stderr}`, /^\[-\] AWS::SNS::Topic Gone destroy$/m)
    assert.match(`${stdout}${stderr}`, /^\[\+\] AWS::DynamoDB::GlobalTable State\/Table /m)
    assert.doesNotMatch(`${stdout}${stderr}`, /Dray-prod/)
    assert.match(
      stdout,
      /^What stands costs \d+\.\d\d US dollars a month, without runs .*\. What is deployed was not read\.$/m,
    )
    assert.match(stdout, /^ {2}keys: 1\.00$/m)
  })

  it('diff says what stands costs a month, and what changes of it, nested stacks included', async () => {
    const aws = new AwsApi()
    const endpoint = await aws.start()
    // The CDK CLI compares nothing then.
    aws.refusals.set('GetCallerIdentity', 'InvalidClientTokenId')
    const [status, outputs, nested] = ['UPDATE_COMPLETE', {}, ['Dray-dev-workflows-Nested']]
    const resources = (...types: readonly string[]) => ({
      Resources: Object.fromEntries(types.map((Type, place) => [`R${place}`, { Type, Properties: {} }])),
    })
    const given = ['diff', 'dev', '--', '--app', join(folder, 'out')]
    const own = { AWS_ENDPOINT_URL: endpoint, CDK_HOME: join(folder, 'cdk') }

    const first = await dray(home, given, { ...signedIn, ...own })
    aws.cloudFormation.stacks.set('Dray-dev', {
      status,
      outputs,
      template: resources('AWS::KMS::Key', 'AWS::KMS::Key'),
    })
    const template = resources('AWS::CloudFormation::Stack')
    aws.cloudFormation.stacks.set('Dray-dev-workflows', { status, outputs, template, nested })
    const alarms = resources('AWS::CloudWatch::Alarm', 'AWS::CloudWatch::Alarm')
    aws.cloudFormation.stacks.set('Dray-dev-workflows-Nested', { status, outputs, template: alarms })
    const second = await dray(home, given, { ...signedIn, ...own })
    aws.refusals.set('GetTemplate', 'AccessDenied')
    const third = await dray(home, given, { ...signedIn, ...own })
    await aws.stop()

    const month = Number(/^What stands costs ([\d.]+) US dollars/m.exec(first.stdout)?.[1])
    assert.match(first.stdout, /\. Nothing is deployed yet\.$/m)
    assert.match(
      second.stdout,
      new RegExp(`costs ${month.toFixed(2)} .* month, ${(month - 2.2).toFixed(2)} more than now`),
    )
    assert.match(second.stdout, /^ {2}keys: 2\.00 → 1\.00\n {2}secrets: 0\.00 → \d\.\d\d\n {2}alarms: 0\.20 → /m)
    assert.match(third.stdout, /could not be read: AccessDenied: GetTemplate is refused/)
  })

  it('deploy passes on that AWS refuses, and the exit code', async () => {
    const aws = new AwsApi()
    const endpoint = await aws.start()
    aws.refusals.set('GetCallerIdentity', 'InvalidClientTokenId')

    // What the test before has synthesized.
    const given = ['--require-approval', 'never', '--', '--app', join(folder, 'out')]
    // Where the CDK CLI remembers which account a key is of.
    const own = { AWS_ENDPOINT_URL: endpoint, CDK_HOME: join(folder, 'cdk') }
    const ended = await dray(home, ['deploy', 'dev', ...given], { ...signedIn, ...own })
    await aws.stop()

    assert.equal(ended.code, 1)
    assert.match(ended.stderr, /Unable to resolve AWS account|InvalidClientTokenId/)
  })

  for (const [what, message, variables, ...args] of [
    ['an unknown environment', /no environment production.*here are dev, prod\./, signedIn, 'deploy', 'production'],
    ['an unknown environment', /no environment production.*here are dev, prod\./, signedIn, 'destroy', 'production'],
    [
      'missing credentials',
      /no credentials of AWS, so dev cannot be worked with.*aws sso login/,
      { ...signedIn, AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
      'diff',
      'dev',
    ],
    ['a missing region', /No region of AWS is known/, { ...signedIn, AWS_REGION: undefined }, 'deploy', 'prod'],
  ] as const) {
    it(`${args[0]} refuses ${what} in one line, before anything is synthesized`, async () => {
      const { code, stdout, stderr } = await dray(home, args, {
        ...variables,
        AWS_EC2_METADATA_DISABLED: 'true',
      })

      assert.match(stderr, message)
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
      assert.deepEqual([code, stdout], [2, ''])
    })
  }

  it('says what the emulator of AWS takes where there is no Python', async () => {
    const { code, stderr } = await dray(home, ['deploy', 'emulated'], { ...nobody, PATH: dirname(process.execPath) })

    assert.equal(code, 2)
    assert.match(
      stderr,
      /There is no python3 on this machine; .* so nothing was deployed\. Install Python 3\.10 or newer/,
    )
  })
})
