import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import type { Diagnosis } from 'dray-infra/internal/doctor/diagnosis.ts'
import { createFirstTargets } from 'dray-infra/internal/runs/target-tables.ts'
import { dray, temporaryHome } from '#test/cli/dray-process.ts'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { fixtureProject } from '#test/fixture-project.ts'
import { type DeployedTestEnvironment, startDeployedEnvironment } from '#test/services/deployed-environment.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { checksOf, execute } from './patient.ts'

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
})
