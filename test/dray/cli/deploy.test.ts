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
    ['an unknown environment', /no environment production.* has dev, prod\./, signedIn, 'deploy', 'production'],
    ['an unknown environment', /no environment production.* has dev, prod\./, signedIn, 'destroy', 'production'],
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
    assert.match(stderr, /There is no python3 on this machine; .* so nothing was deployed\. Install Python 3\.10 or newer/)
  })
})
