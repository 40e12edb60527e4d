import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { stackOutputs } from 'dray-infra/internal/aws/stack-outputs.ts'
import type { Diagnosis } from 'dray-infra/internal/doctor/diagnosis.ts'
import { createFirstTargets } from 'dray-infra/internal/runs/target-tables.ts'
import { dray, startDray, temporaryHome } from '#test/cli/dray-process.ts'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { fixtureProject } from '#test/fixture-project.ts'
import type { FakeStack } from '#test/services/aws-stacks.ts'
import { type DeployedTestEnvironment, startDeployedEnvironment } from '#test/services/deployed-environment.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { writeProject } from '#test/services/small-project.ts'
import { build, closed, GROUPS, SUBNETS, subnet, VPC } from './closed-network.ts'
import { checksOf, execute, healthy } from './patient.ts'

const SHOP = '/dray/dev/shop/url'

/** `dray doctor` as a process on the environment `dev`, as in `cli/remote.test.ts`. */
describe('dray doctor --env dev', () => {
  const { home, remove } = temporaryHome()
  let postgres: TestPostgres
  let environment: DeployedTestEnvironment
  let shop: string

  async function doctor(more: NodeJS.ProcessEnv = {}): Promise<Diagnosis & { readonly code: number | null }> {
    const { code, stdout, stderr } = await dray(home, ['doctor', '--env', 'dev', '--json'], {
      ...environment.variables,
      ...more,
    })
    assert.equal(stderr, '')
    return { ...JSON.parse(stdout), code }
  }

  before(async () => {
    postgres = await startPostgres()
    const [first, till, lake] = await Promise.all([1, 2, 3].map(() => postgres.createDatabase()))
    shop = first as string
    await execute(
      shop,
      'create table customers (id bigint primary key, name text, email text, phone text, address text, created_at text)',
    )
    await execute(
      till as string,
      `create table orders (id bigint primary key, customer_id bigint, order_date timestamp, total_amount numeric(12, 2),
         status text, last_updated timestamp not null)`,
    )
    environment = await startDeployedEnvironment(nightly, { shop, till: till as string, lake: lake as string })
    process.env.LAKE_DATABASE_URL = lake as string
    await createFirstTargets(await fixtureProject(), ['customers', 'orders'], environment.state)
  })
  after(async () => {
    await environment.stop()
    await postgres.stop()
    remove()
  })
  afterEach(() => {
    environment.aws.refusals.clear()
    environment.aws.secrets.set(SHOP, shop)
    environment.aws.accountConcurrency = 1000
    environment.aws.accountCode = 0
  })

  test('finds stack, secrets, databases and concurrency in order', async () => {
    const diagnosis = await doctor()

    assert.deepEqual(checksOf(diagnosis, 'broken'), [])
    const ok = checksOf(diagnosis, 'ok')
    for (const line of [
      /^environment dev: stack: Dray-dev is deployed$/,
      /^environment dev: concurrency: the account has 1000 functions at once; dev needs 4 at most$/,
      /^environment dev: code: the functions of the account have 0\.0 of 75\.0 GB of code in this region$/,
      /^database lake: secret: the secret \/dray\/dev\/lake\/url holds a URL$/,
      /^database lake: connect: PostgreSQL /,
      /^pipeline orders: target: lake\.order_fact fits its model$/,
    ])
      assert.ok(
        ok.some((one) => line.test(one)),
        `${line} is not in:\n${ok.join('\n')}`,
      )
    assert.equal(diagnosis.code, 0)
  })

  test('says which secret is not there, and looks at the other databases', async () => {
    environment.aws.secrets.delete(SHOP)

    const diagnosis = await doctor()

    const [broken, ...others] = checksOf(diagnosis, 'broken')
    assert.match(broken ?? '', /^database shop: secret: .*cannot be read from the secret \/dray\/dev\/shop\/url/)
    assert.match(broken ?? '', /aws secretsmanager create-secret/)
    assert.deepEqual(others, [])
    assert.ok(checksOf(diagnosis, 'ok').some((one) => one.startsWith('database lake: connect')))
    assert.equal(diagnosis.code, 2)
  })

  test('takes what may not be read for not known, and for no fault', async () => {
    for (const operation of ['GetSecretValue', 'GetAccountSettings', 'DescribeStacks'])
      environment.aws.refusals.set(operation, 'AccessDeniedException')

    const diagnosis = await doctor()

    const unknown = checksOf(diagnosis, 'unknown').join('\n')
    for (const line of [
      /^environment dev: stack: AWS refused/m,
      /^environment dev: concurrency: .*lambda:GetAccountSettings would show it$/m,
      /^database shop: secret: .*AccessDenied/m,
    ])
      assert.match(unknown, line)
    assert.deepEqual(checksOf(diagnosis, 'broken'), [])
    assert.equal(diagnosis.code, 0)
  })

  test('does not take a database that this machine does not reach for one that is broken', async () => {
    environment.aws.secrets.set(SHOP, 'postgres://u:p@127.0.0.1:1/shop')

    const diagnosis = await doctor()

    assert.match(
      checksOf(diagnosis, 'unknown').join('\n'),
      /^database shop: tcp: it cannot be reached from this machine, .* a host in it or through a tunnel/m,
    )
    assert.deepEqual(checksOf(diagnosis, 'broken'), [])
  })

  test('warns of an account whose storage of code is nearly full, and with fewer functions at once than partitions; of no stack it says how to deploy', async () => {
    environment.aws.accountConcurrency = 3
    environment.aws.accountCode = 61 * 1024 ** 3
    const stack = environment.aws.cloudFormation.stacks.get('Dray-dev')
    environment.aws.cloudFormation.stacks.delete('Dray-dev')

    const diagnosis = await doctor()
    if (stack !== undefined) environment.aws.cloudFormation.stacks.set('Dray-dev', stack)

    for (const line of [
      /^environment dev: concurrency: the account has 3 .* may ask for 4, .*Service Quotas/m,
      /^environment dev: code: the functions of the account have 61\.0 of 75\.0 GB .*, so a deployment is refused before long/m,
    ])
      assert.match(checksOf(diagnosis, 'warning').join('\n'), line)
    assert.match(
      checksOf(diagnosis, 'broken').join('\n'),
      /^environment dev: stack: There is no stack Dray-dev .*npx dray deploy dev/m,
    )
    assert.equal(diagnosis.code, 2)
  })

  describe('in a network', () => {
    const small = writeProject({
      ...healthy,
      'infra/project.ts': String(healthy['infra/project.ts']).replace(
        'environments: {}',
        `environments: { dev: ${JSON.stringify(closed)} }`,
      ),
    })
    let without: FakeStack

    async function doctorOfSmall(): Promise<Diagnosis & { readonly code: number | null }> {
      const process = startDray(home, ['doctor', '--env', 'dev', '--json'], environment.variables, small.folder)
      const { code, stdout, stderr } = await process.ended
      assert.equal(stderr, '')
      return { ...JSON.parse(stdout), code }
    }

    before(() => {
      const { aws } = environment
      build(aws)
      aws.secrets.set('/dray/dev/src/url', 'mysql://u:p@127.0.0.1:3306/src')
      aws.secrets.set('/dray/dev/dst/url', 'postgres://u:p@127.0.0.1:1/dst')
      without = aws.cloudFormation.stacks.get('Dray-dev') as FakeStack
      const groups = { [stackOutputs.databasesGroup]: GROUPS.databases, [stackOutputs.stagingGroup]: GROUPS.staging }
      aws.cloudFormation.stacks.set('Dray-dev', { ...without, outputs: { ...without.outputs, ...groups } })
    })
    after(() => {
      environment.aws.cloudFormation.stacks.set('Dray-dev', without)
      small.remove()
    })

    test('looks at it, and lets functions out to the ports in the URLs of secrets', async () => {
      const diagnosis = await doctorOfSmall()

      const [broken = '', ...others] = checksOf(diagnosis, 'broken')
      const line = /^network vpc-\w+: security groups: .* lets nothing out to port 1, where the database dst listens/
      assert.match(broken, line)
      assert.deepEqual(others, [])
      assert.ok(checksOf(diagnosis, 'ok').includes(`network ${VPC}: s3: functions reach S3 by the endpoint vpce-s3`))
      assert.equal(diagnosis.code, 2)
    })

    test('says what it sees of it before the first deployment, and that it may not look', async () => {
      const { aws } = environment
      const stack = aws.cloudFormation.stacks.get('Dray-dev') as FakeStack
      aws.cloudFormation.stacks.delete('Dray-dev')
      aws.network.described.set('DescribeSubnets', [subnet(0, 251), subnet(1, 0)])
      aws.refusals.set('DescribeVpcEndpoints', 'UnauthorizedOperation')

      const diagnosis = await doctorOfSmall()
      aws.cloudFormation.stacks.set('Dray-dev', stack)

      const said = new RegExp(
        `^network .*: subnets: ${SUBNETS[1]} .* has 0 free addresses, .*a deployment is refused`,
        'm',
      )
      assert.match(checksOf(diagnosis, 'broken').join('\n'), said)
      assert.match(
        checksOf(diagnosis, 'unknown').join('\n'),
        /^network .*: network: .*ec2:DescribeVpcEndpoints would show/m,
      )
    })
  })
})
