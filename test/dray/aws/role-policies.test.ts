import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { before, describe, snapshot, test } from 'node:test'
import { type Resource, type SynthesizedStack, synthesizedStack } from './synthesized-stack.ts'

/*
 * Every permission of every role, and of the policies for people, in role-policies.test.ts.snapshot. A change of it is
 * to be read, not just written: node --test --test-update-snapshots test/dray/aws/role-policies.test.ts
 */

snapshot.setDefaultSnapshotSerializers([(text) => String(text)])

describe('the policies of roles', () => {
  let stack: SynthesizedStack
  let text: string
  before(async () => {
    stack = await synthesizedStack({
      vpc: {
        id: 'vpc-0123456789abcdef0',
        subnets: [
          { id: 'subnet-0123456789abcdef0', availabilityZone: 'eu-north-1a', routeTable: 'rtb-0123456789abcdef0' },
        ],
      },
    })
    text = policiesOf(stack)
  })

  test('are those that were read and agreed to', (t) => {
    t.assert.snapshot(text)
  })

  test('for people are explained in docs/operations.md, action by action', async () => {
    const page = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
    const statements = stack
      .ofType('AWS::IAM::ManagedPolicy')
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)

    const unexplained = statements
      .flatMap(({ Action }) => [Action].flat() as string[])
      .filter((action) => !page.includes(`\`${action}\``))

    assert.deepEqual(unexplained, [])
  })

  test('for people have names and descriptions that stay, since what is attached by hand cannot be replaced', () => {
    const policies = Object.entries(stack.resources).filter(([, { Type }]) => Type === 'AWS::IAM::ManagedPolicy')

    const replacing = policies.map(
      ([
        id,
        {
          Properties: { ManagedPolicyName, Description, Path },
        },
      ]) => [id, ManagedPolicyName['Fn::Join'], Description, Path],
    )

    const region = (name: string) => ['', [`Dray-test_${name}_`, { Ref: 'AWS::Region' }]]
    assert.deepEqual(replacing.sort(), [
      [
        'PoliciesDatabases510D42F9',
        region('databases'),
        'dray plan, preview and reconcile --env: the databases of Dray-test, besides the operator policy',
        '/',
      ],
      [
        'PoliciesOperatorFB08A6C6',
        region('operator'),
        'dray --env: runs, their logs, state and quarantine of Dray-test',
        '/',
      ],
    ])
  })

  test('are all written here: no managed policy, none in a role itself', () => {
    for (const { Properties } of stack.ofType('AWS::IAM::Role')) {
      assert.equal(Properties.ManagedPolicyArns, undefined)
      assert.equal(Properties.Policies, undefined)
    }
  })

  test('allow a lone wildcard only to actions that know no resource', () => {
    const unscoped = text.split('\n').filter((line) => line.includes(' on * ') || line.endsWith(' on *'))

    for (const line of unscoped) {
      for (const action of line.replace(/^ +Allow (.+) on \*.*$/, '$1').split(' ')) {
        assert.match(
          action,
          /^(xray:Put|xray:Get|ec2:|states:ListStateMachines$|logs:.*(LogDelivery|LogDeliveries|ResourcePolic|LogGroups))/,
        )
      }
    }
  })
})

function policiesOf({ resources }: SynthesizedStack): string {
  const roles = new Map<string, string[]>()
  for (const [logicalId, { Type, Properties }] of Object.entries(resources)) {
    if (Type === 'AWS::IAM::ManagedPolicy') {
      roles.set(logicalId, Properties.PolicyDocument.Statement.map(lineOf))
    }
    if (Type !== 'AWS::IAM::Policy') continue
    for (const { Ref } of Properties.Roles) {
      const role = [...logicalId.split('/').slice(0, -1).map(withoutHash), Ref].join('/')
      roles.set(role, [...(roles.get(role) ?? []), ...Properties.PolicyDocument.Statement.map(lineOf)])
    }
  }
  return [...roles]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([role, lines]) => `${withoutHash(role)}\n${lines.sort().join('\n')}`)
    .join('\n\n')
}

function lineOf({ Effect, Action, Resource, Condition }: Resource['Properties']): string {
  const actions = [Action].flat().sort().join(' ')
  const on = [Resource].flat().map(textOf).sort().join(' ')
  return `  ${Effect} ${actions} on ${on}${Condition ? ` if ${JSON.stringify(Condition)}` : ''}`
}

function textOf(value: Resource['Properties']): string {
  if (typeof value === 'string') return value
  if (value['Fn::ImportValue']) return `<${value['Fn::ImportValue']}>`
  if (value.Ref) return `<${withoutHash(value.Ref)}>`
  if (value['Fn::GetAtt']) return `<${withoutHash(value['Fn::GetAtt'][0])}.${value['Fn::GetAtt'][1]}>`
  return value['Fn::Join'][1].map(textOf).join(value['Fn::Join'][0])
}

function withoutHash(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}(\.nested)?$/, '')
}
