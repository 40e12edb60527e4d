import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { evaluate, type Request, type Statement } from './evaluate.ts'

const role = 'arn:aws:iam::000000000000:role/plan'
const request = (action: string, resource: string, context: Request['context'] = {}): Request => ({
  principal: role,
  action,
  resource,
  context,
})
const allow = (Action: string, Resource: string, more: Partial<Statement> = {}): Statement => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...more,
})
const isAllowed = (of: Request, identity: Statement[], resource: Statement[] | null = null) =>
  evaluate(of, identity, resource).isAllowed

const object = request('s3:GetObject', 'arn:aws:s3:::bucket/runs/one/_plan/two')

describe('a request', () => {
  test('is refused unless a statement allows its action on its resource', () => {
    assert.equal(isAllowed(object, []), false)
    assert.equal(isAllowed(object, [allow('s3:GetObject', 'arn:aws:s3:::bucket/runs/*')]), true)
    assert.equal(isAllowed(object, [allow('S3:get*', 'arn:aws:s3:::bucket/runs/*')]), true)
    assert.equal(isAllowed(object, [allow('s3:PutObject', 'arn:aws:s3:::bucket/runs/*')]), false)
    assert.equal(isAllowed(object, [allow('s3:GetObject', 'arn:aws:s3:::bucket/Runs/*')]), false)
    assert.equal(isAllowed(object, [allow('s3:GetObject', 'arn:aws:s3:::bucket/runs/?')]), false)
  })

  test('is allowed by what a statement leaves out by NotAction and NotResource', () => {
    const but = (NotAction: string): Statement => ({ Effect: 'Allow', NotAction, Resource: '*' })

    assert.equal(isAllowed(object, [but('iam:*')]), true)
    assert.equal(isAllowed(object, [but('s3:*')]), false)
    assert.equal(
      isAllowed(object, [{ Effect: 'Allow', Action: 's3:*', NotResource: 'arn:aws:s3:::bucket/runs/*' }]),
      false,
    )
  })

  test('is refused by one statement that denies it, of the role or of the resource', () => {
    const all = allow('*', '*')

    assert.equal(isAllowed(object, [all, { ...all, Effect: 'Deny' }]), false)
    assert.equal(isAllowed(object, [all], [{ ...all, Effect: 'Deny', Principal: '*' }]), false)
    assert.equal(isAllowed(object, [all], [{ ...all, Effect: 'Deny', Principal: { AWS: 'arn:other' } }]), true)
  })

  test('is allowed by a resource that names the role, and not by one that names a service', () => {
    assert.equal(isAllowed(object, [], [allow('s3:*', '*', { Principal: { AWS: role } })]), true)
    assert.equal(isAllowed(object, [], [allow('s3:*', '*', { Principal: { Service: 's3.amazonaws.com' } })]), false)
  })

  test('of a key needs the policy of the key, and what that leaves to the account needs the role', () => {
    const decrypt = request('kms:Decrypt', 'arn:aws:kms:eu-west-1:000000000000:key/one')
    const toAccount = allow('kms:*', '*', { Principal: { AWS: 'arn:aws:iam::000000000000:root' } })

    assert.equal(isAllowed(decrypt, [allow('kms:Decrypt', '*')], []), false)
    assert.equal(isAllowed(decrypt, [], [toAccount]), false)
    assert.equal(isAllowed(decrypt, [allow('kms:Decrypt', '*')], [toAccount]), true)
    assert.equal(isAllowed(decrypt, [], [allow('kms:Decrypt', '*', { Principal: { AWS: role } })]), true)
  })
})

describe('a condition', () => {
  const under = (operator: string, key: string, wanted: string | string[]) => [
    allow('s3:ListBucket', '*', { Condition: { [operator]: { [key]: wanted } } }),
  ]
  const list = (context: Request['context']) => request('s3:ListBucket', 'arn:aws:s3:::bucket', context)

  test('holds where the request has one of its values, and not where it has none', () => {
    const policy = under('StringLike', 's3:prefix', ['runs/*', 'findings/*'])

    assert.equal(isAllowed(list({ 'S3:Prefix': 'findings/items/' }), policy), true)
    assert.equal(isAllowed(list({ 's3:prefix': 'quarantine/items/' }), policy), false)
    assert.equal(isAllowed(list({}), policy), false)
  })

  test('on all values holds where there is none, one on any value does not', () => {
    const [all, any] = ['ForAllValues:StringEquals', 'ForAnyValue:StringEquals'].map((operator) =>
      under(operator, 'dynamodb:Attributes', ['a', 'b']),
    ) as [Statement[], Statement[]]

    const answers = [{}, { 'dynamodb:Attributes': ['a'] }, { 'dynamodb:Attributes': ['a', 'c'] }].map((context) => [
      isAllowed(list(context), all),
      isAllowed(list(context), any),
    ])
    assert.deepEqual(answers, [
      [true, false],
      [true, true],
      [false, true],
    ])
  })

  test('compares numbers as numbers, and yes and no whatever their letters', () => {
    assert.equal(isAllowed(list({ 's3:TlsVersion': '1.10' }), under('NumericLessThan', 's3:TlsVersion', '1.2')), true)
    assert.equal(isAllowed(list({ 'aws:SecureTransport': 'true' }), under('Bool', 'aws:SecureTransport', 'True')), true)
  })

  test('by an operator that is not known here is an error', () => {
    assert.throws(
      () => isAllowed(list({}), under('IpAddress', 'aws:SourceIp', '10.0.0.0/8')),
      /IpAddress are not known/,
    )
  })
})
