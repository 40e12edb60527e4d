import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { before, describe, test } from 'node:test'
import { type Call, judge, parseCall, recordedLines, refusals, withImplied } from './calls.ts'
import type { Deployment } from './deployment.ts'
import type { Statement } from './evaluate.ts'
import { grantsOfAll, reasonOf, textOfGrant, usesOf } from './grants.ts'
import { grantsTable } from './grants-table.ts'
import { synthesizedFeatures } from './synthesized-features.ts'
import { unusedGrants } from './unused-grants.ts'

/*
 * What test/dray/cloud/grants.test.ts has recorded of every call, judged by the synthesized policies of roles, of the
 * bucket, the key, the queues and the topic.
 */

const page = new URL('../../../../docs/grants.md', import.meta.url)

describe('the grants of an environment', () => {
  let deployment: Deployment
  let calls: readonly Call[]
  before(async () => {
    deployment = await synthesizedFeatures()
    calls = withImplied(recordedLines().map(parseCall), deployment)
  })

  test('allow every call that functions, state machines and people have made', () => {
    assert.deepEqual(
      refusals(calls, deployment),
      [],
      'Allow each action on what it is called on: infra/dray/aws/handler-access.ts says what a function may reach, machine-roles.ts what a state machine, operator-policies.ts what people.',
    )
  })

  test('are used by a call, or a line says why they are there', () => {
    const unexplained = grantsOfAll(deployment).filter(
      (grant) => usesOf(grant, calls).length === 0 && reasonOf(grant) === undefined,
    )

    assert.deepEqual(
      unexplained.map((grant) => `${grant.grantee.name}: ${textOfGrant(grant)}`),
      [],
      'Take these grants away, or say in test/dray/aws/grants/unused-grants.ts why they are there.',
    )
  })

  test('are explained by no line that nothing needs', () => {
    const needed = new Set(
      grantsOfAll(deployment)
        .filter((grant) => usesOf(grant, calls).length === 0)
        .map(reasonOf),
    )

    assert.deepEqual(
      unusedGrants.filter((reason) => !needed.has(reason)),
      [],
    )
  })

  test('are those of docs/grants.md', async () => {
    const text = await readFile(page, 'utf8')
    const current = text.replace(/(?<=<!-- grants -->\n).*(?=<!-- \/grants -->)/s, grantsTable(calls, deployment))
    if (process.env.UPDATE_DOCS === '1') await writeFile(page, current)
    else assert.equal(text, current, 'run this test with UPDATE_DOCS=1 and look at what has changed')
  })

  describe('that are taken away are missed:', () => {
    test('a Commit without the secret of its source', () => {
      const without = changed(deployment, 'commit', (statement) =>
        onlyOn(statement, (resource) => !resource.includes('/shop/')),
      )

      assert.deepEqual(refusals(calls, without), [
        'commit may not secretsmanager:GetSecretValue on secret:/dray/dev/shop/url-xxxxxx: no statement allows it',
      ])
    })

    test('a Commit that may not stage the keys of rows that are gone', () => {
      const without = changed(deployment, 'commit', (statement) =>
        onlyOn(
          statement,
          (resource) => !(actionsOf(statement).includes('s3:PutObject') && resource.endsWith('/runs/*')),
        ),
      )

      assert.ok(
        refusals(calls, without).includes(
          'commit may not s3:PutObject on <StagingBucket>/runs/<run>/<pipeline>/_gone/<id>: no statement allows it',
        ),
      )
    })

    test('a Plan, and people, who may not list the log of the quarantine', () => {
      const without = ['plan', 'people'].reduce(
        (so, name) => changed(so, name, (statement) => withoutPrefix(statement, 'quarantine-log/*')),
        deployment,
      )

      assert.deepEqual(
        refusals(calls, without),
        ['people', 'plan'].map(
          (name) =>
            `${name} may not s3:ListBucket on <StagingBucket> for quarantine-log/<pipeline>/: no statement allows it`,
        ),
      )
    })

    test('the bare prefix of a log, which nobody may list where each folder alone is granted', () => {
      const narrow = changed(deployment, 'plan', (statement) =>
        JSON.parse(JSON.stringify(statement).replaceAll('"quarantine-log/*"', '"quarantine-log/<pipeline>/*"')),
      )
      const list = (prefix: string): Call => ({
        by: 'plan',
        action: 's3:ListBucket',
        resource: 'arn:aws:s3:::<StagingBucket>',
        context: { 's3:prefix': prefix },
      })

      assert.equal(judge(list('quarantine-log/<pipeline>/'), narrow).isAllowed, true)
      assert.equal(judge(list('quarantine-log/<pipeline>'), narrow).isAllowed, false)
    })

    test('a key whose policy leaves nothing to the account', () => {
      const [key = ''] = deployment.keys.values()
      const without = { ...deployment, policies: new Map([...deployment.policies, [key, []]]) }

      const why = refusals(calls, without).map((line) => line.replace(/^.*?(kms:\w+).*: /, '$1: '))

      assert.deepEqual(
        [...new Set(why)].sort(),
        ['Decrypt', 'GenerateDataKey'].map(
          (action) => `kms:${action}: the key's policy does not let the account's policies decide`,
        ),
      )
    })
  })
})

/** The environment with other statements of a role; null takes one away. */
function changed(deployment: Deployment, name: string, change: (statement: Statement) => Statement | null): Deployment {
  const grantees = deployment.grantees.map((grantee) => {
    if (grantee.name !== name) return grantee
    return { ...grantee, statements: grantee.statements.flatMap((statement) => change(statement) ?? []) }
  })
  return { ...deployment, grantees }
}

const actionsOf = ({ Action = [] }: Statement) => [Action].flat()

function onlyOn(statement: Statement, wanted: (resource: string) => boolean): Statement | null {
  const resources = [statement.Resource ?? []].flat().filter(wanted)
  return resources.length === 0 ? null : { ...statement, Resource: resources }
}

function withoutPrefix(statement: Statement, prefix: string): Statement {
  const prefixes = [statement.Condition?.StringLike?.['s3:prefix'] ?? []].flat()
  if (!prefixes.includes(prefix)) return statement
  return { ...statement, Condition: { StringLike: { 's3:prefix': prefixes.filter((one) => one !== prefix) } } }
}
