import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { CreateStateMachineCommand, SFNClient, StartExecutionCommand, StopExecutionCommand } from '@aws-sdk/client-sfn'
import { machineRoles } from 'dray-infra/internal/aws/machine-roles.ts'
import { roleNameOf } from 'dray-infra/internal/aws/names.ts'
import { stackOutputs } from 'dray-infra/internal/aws/stack-outputs.ts'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { dray as drayIn, type Ended, startDray, temporaryHome } from '#test/cli/dray-process.ts'
import { TcpProxy } from '#test/faults/proxy/tcp-proxy.ts'
import { startMariaDB } from '#test/services/mariadb.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { bootstrap, clientOf, putSecrets } from './account.ts'
import { type ObservedEmulator, startObserved } from './emulator.ts'
import { emulatorPackage } from './emulator-package.ts'

/*
 * What `dray deploy` makes, on an emulator of AWS that others have written: the templates and the bundles as they are,
 * with IAM enforced. What this does not show is in docs/ci.md.
 */

const found = await emulatorPackage()
const mariadb = await startMariaDB()
const why = [found, mariadb].flatMap((part) => ('unavailable' in part ? [part.unavailable] : []))[0]
if (why !== undefined && process.env.CI === 'true') throw new Error(`CI must not skip suites: ${why}`)

/** The versions of functions that are called by their ARNs, each once. */
function versions(arns: readonly string[]): readonly string[] {
  return [...new Set(arns.map((arn) => /:function:[\w-]+:?(\d*)$/.exec(arn)?.[1] ?? arn))].toSorted()
}

async function untilSaid(stream: Readable, what: RegExp): Promise<string> {
  let said = ''
  stream.on('data', (chunk) => {
    said += chunk
  })
  while (!what.test(said)) {
    assert.ok(!stream.closed, said)
    await delay(100)
  }
  return said
}

describe('an environment in a cloud with IAM', { skip: why ?? false }, () => {
  const { home, remove } = temporaryHome()
  let emulator: ObservedEmulator
  let postgres: TestPostgres
  let till: Client
  let lake: Client
  let proxy: TcpProxy
  let operator: Readonly<Record<string, string>> = {}

  const dray = (...args: string[]) => drayIn(home, args, { ...emulator.variables, ...operator })
  const succeeded = ({ code, stdout, stderr }: Ended) => {
    assert.equal(code, 0, `${stderr}${stdout}`)
    return stdout
  }
  const json = async (...args: string[]) => JSON.parse(succeeded(await dray(...args, '--env', 'dev', '--json')))
  const client = () => clientOf(emulator)
  const changeOrders = (status: string) => till.query(`update orders set status = '${status}' where id in (1, 2, 3)`)
  const loadedOrders = async () =>
    (await lake.query('select order_id::int, order_status from order_fact where order_id < 4 order by 1')).rows.map(
      Object.values,
    )
  const statuses = ({ steps }: { steps: readonly { step: string; status: string }[] }) =>
    steps.map(({ step, status }) => `${step} ${status}`)

  before(async () => {
    if ('unavailable' in found || 'unavailable' in mariadb) return
    emulator = await startObserved(found.python)
    postgres = await startPostgres()
    const urls = {
      shop: await mariadb.createDatabase(),
      till: await postgres.createDatabase(),
      lake: await postgres.createDatabase(),
    }
    proxy = await TcpProxy.start(urls.lake)
    const shop = await createConnection(urls.shop)
    await shop.query(
      'create table customers (id bigint primary key, name text, email text, phone text, address text, created_at text)',
    )
    await shop.query("insert into customers (id, name) values (1, 'Ann'), (2, '')")
    await shop.end()
    till = new Client({ connectionString: urls.till })
    lake = new Client({ connectionString: urls.lake })
    await Promise.all([till.connect(), lake.connect()])
    await till.query(
      `create table orders (id bigint primary key, customer_id bigint, order_date timestamp, total_amount numeric(12, 2),
         status text, last_updated timestamp not null);
       insert into orders select id, 1, '2024-01-01', 1.00, 'new', timestamp '2024-01-01 12:00' from generate_series(1, 1000) as id`,
    )
    await lake.query(
      `create table customer_dim (id bigint primary key, full_name varchar(200) not null, email varchar(320), phone varchar(16), city varchar(100));
       create table order_fact (order_id bigint primary key, customer_id bigint not null, order_date date not null, order_amount numeric(12, 2) not null,
         order_status varchar(20) not null, etl_timestamp timestamp not null)`,
    )
    const secrets = Object.entries({ ...urls, lake: proxy.url }).map(([name, url]) => [`${name}/url`, url])
    await putSecrets(emulator, Object.fromEntries(secrets))
    await bootstrap(emulator, home)
  })
  after(async () => {
    await till?.end()
    await lake?.end()
    await proxy?.stop()
    await emulator?.stop()
    await postgres?.stop()
    if (!('unavailable' in mariadb)) await mariadb.stop()
    remove()
  })

  /** As a user with the operator policy, and nothing else. */
  async function signInAsOperator(): Promise<void> {
    const stacks = new CloudFormationClient(client())
    const { Stacks = [] } = await stacks.send(new DescribeStacksCommand({ StackName: 'Dray-dev' }))
    stacks.destroy()
    const policy = Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === stackOutputs.operatorPolicy)?.OutputValue
    operator = await emulator.userWith(policy ?? '')
  }

  const deploy = ['deploy', 'dev', '--require-approval', 'never', '--', '--output']

  it('is deployed by dray deploy, what is shared first, then pipelines, then workflows', async () => {
    const output = join(emulator.folder, 'cdk.out')

    const { code, stdout, stderr } = await dray(...deploy, output)

    assert.equal(code, 0, stderr)
    const arns = `${stdout}${stderr}`.match(/(?<=:stack\/)Dray-dev[\w-]*/g)
    assert.deepEqual([...new Set(arns)], ['Dray-dev', 'Dray-dev-pipelines', 'Dray-dev-workflows'])
    await signInAsOperator()
  })

  it('runs a workflow, each pipeline by its own state machine', async () => {
    const run = await json('run', 'nightly')

    assert.deepEqual(statuses(run), ['customers success', 'orders success', 'data-mart success'])
    const { rows } = await lake.query(
      'select count(*)::int as orders, (select count(*)::int from customer_dim) as customers from order_fact',
    )
    assert.deepEqual(rows, [{ orders: 1000, customers: 1 }])
    assert.ok((await json('runs', 'logs', run.run_id)).entries.length > 10)
  })

  it('fails a pipeline whose target refuses it, skips what waits for it, and resumes the rest', async () => {
    await lake.query(`alter table order_fact rename column order_amount to amount`)

    const { code, stdout } = await dray('run', 'nightly', '--env', 'dev', '--json')
    await lake.query('alter table order_fact rename column amount to order_amount')
    const failed = JSON.parse(stdout)
    const resumed = await json('resume', failed.run_id)

    assert.deepEqual([code, statuses(failed)], [1, ['customers success', 'orders failed', 'data-mart skipped']])
    assert.match(stdout, /order_amount/)
    assert.deepEqual(statuses(resumed), ['customers success', 'orders success', 'data-mart success'])
  })

  it('stops a run with what it has started, and gives its leases back', async () => {
    await till.query("update orders set last_updated = '2024-01-01 13:00', status = 'paid'")
    await lake.query('begin; lock table order_fact in exclusive mode')
    const { run_id: id } = await json('run', 'orders', '--keys', '1,2', '--detach')
    while ((await json('runs', 'show', id)).steps?.[0]?.status !== 'running') await delay(300)

    await json('runs', 'stop', id)
    const watched = await dray('runs', 'watch', id, '--env', 'dev')
    await lake.query('rollback')

    assert.match(watched.stdout, /orders failed: The execution was aborted/)
    while (/ until /.test(succeeded(await dray('state', '--env', 'dev')))) await delay(300)
    assert.deepEqual(statuses(await json('resume', id)), ['orders success'])
  })

  it('makes good what functions have begun whose processes are killed', async () => {
    await changeOrders('paid')
    await lake.query('begin; lock table order_fact in exclusive mode')
    const start = (await emulator.allowed('lambda:InvokeFunction')).length
    const { run_id: id } = await json('run', 'orders', '--keys', '1,2,3', '--detach')
    const isLoading = async () =>
      (await emulator.allowed('lambda:InvokeFunction')).slice(start).some((arn) => arn.includes('_orders_load:'))
    while (!(await isLoading())) await delay(300)
    await delay(1_000)

    const killed = await emulator.killFunctions()
    await lake.query('rollback')
    const watched = await json('runs', 'watch', id)

    assert.ok(killed > 0)
    assert.deepEqual(statuses(watched), ['orders success'])
    assert.deepEqual(
      await loadedOrders(),
      [1, 2, 3].map((id) => [id, 'paid']),
    )
  })

  it('waits for a database that is away for some seconds when a function meets it', async () => {
    await changeOrders('sent')
    const comeBack = await proxy.away()
    await emulator.killFunctions()
    const { run_id: id } = await json('run', 'orders', '--keys', '1,2,3', '--detach')
    await delay(6_000)

    await comeBack()
    const watched = await json('runs', 'watch', id)

    assert.deepEqual(statuses(watched), ['orders success'])
    assert.deepEqual(
      await loadedOrders(),
      [1, 2, 3].map((id) => [id, 'sent']),
    )
  })

  it('is run by its schedule', async () => {
    const scheduled = async () => {
      const { runs } = await json('runs')
      return runs.find(({ trigger }: { trigger: string }) => trigger === 'schedule')
    }
    await emulator.makeSchedulesDue()
    while ((await scheduled()) === undefined) await delay(500)

    const { run_id: id } = await scheduled()
    assert.equal((await json('runs', 'watch', id)).status, 'success')
  })

  it('plays quarantined rows again', async () => {
    const replayed = await json('quarantine', 'replay', 'customers')

    assert.deepEqual(statuses(replayed), ['customers success'])
  })

  it('runs a pipeline whose state machine a person starts', async () => {
    const states = new SFNClient(client())
    const stateMachineArn = 'arn:aws:states:eu-west-1:000000000000:stateMachine:Dray-dev_customers_pipeline'
    await states.send(new StartExecutionCommand({ stateMachineArn, name: 'by-hand' }))
    states.destroy()
    while (!succeeded(await dray('runs', '--env', 'dev')).includes('by-hand')) await delay(300)

    const watched = await json('runs', 'watch', 'by-hand')

    assert.deepEqual([watched.status, watched.only], ['success', ['customers']])
  })

  it('is deployed again during a run, which goes on with the versions that it began with', async () => {
    await changeOrders('new')
    await lake.query('begin; lock table order_fact in exclusive mode')
    const start = (await emulator.allowed('lambda:InvokeFunction')).length
    const { run_id: id } = await json('run', 'orders', '--keys', '1,2,3', '--detach')
    const called = async (from: number) => (await emulator.allowed('lambda:InvokeFunction')).slice(from)
    while (!(await called(start)).some((arn) => arn.includes('_orders_load:'))) await delay(300)

    const output = join(emulator.folder, 'cdk.again')
    const { code, stderr } = await drayIn(home, [...deploy, output], { ...emulator.variables, METRICS_DAYS: '30' })
    const before = start + (await called(start)).length
    await lake.query('rollback')
    const watched = await json('runs', 'watch', id)
    const during = await called(before)
    const next = await json('run', 'nightly')
    const behind = await called(before + during.length)

    assert.equal(code, 0, stderr)
    assert.deepEqual([watched.status, next.status], ['success', 'success'])
    assert.deepEqual([versions(during), versions(behind)], [['1'], ['2']])
    assert.ok(during.some((arn) => arn.includes('_dray_commit:')))
  })

  it('waits, when it is deployed, for runs of what the deployment takes away', async () => {
    const states = new SFNClient(client())
    const wait = { Type: 'Wait', Seconds: 600, End: true }
    const roleArn = `arn:aws:iam::000000000000:role/${roleNameOf('dev', machineRoles.pipelines, 'eu-west-1')}`
    const machine = async (name: string, comment: object) => {
      const States = { Start: { Type: 'Pass', Result: comment, Next: 'Wait' }, Wait: wait }
      const definition = JSON.stringify({ StartAt: 'Start', States })
      const { stateMachineArn = '' } = await states.send(new CreateStateMachineCommand({ name, definition, roleArn }))
      const run = name.replaceAll(/^Dray-dev_|_\w+$/g, '')
      return (await states.send(new StartExecutionCommand({ stateMachineArn, name: run }))).executionArn
    }
    const again = { ...emulator.variables, METRICS_DAYS: '30' }
    const arn = 'arn:aws:states:eu-west-1:000000000000:stateMachine:Dray-dev_returns_pipeline'
    const taken = await machine('Dray-dev_returns_pipeline', {})
    const starting = await machine('Dray-dev_weekly_workflow', { step: 'returns', machine: arn })
    const other = await machine('Dray-develop_returns_pipeline', {})

    const { child, ended } = startDray(home, [...deploy, join(emulator.folder, 'cdk.third')], again)
    const said = await untilSaid(child.stderr, /the run returns is at work.*\n.*the run weekly is at work/)
    for (const executionArn of [taken, starting]) await states.send(new StopExecutionCommand({ executionArn }))
    const { code, stdout, stderr } = await ended
    await states.send(new StopExecutionCommand({ executionArn: other }))
    states.destroy()

    assert.equal(code, 0, stderr)
    assert.doesNotMatch(said, /Dray-dev-workflows|develop/)
    assert.match(`${stdout}${stderr}`, /Dray-dev-workflows/)
  })

  it('never calls what its roles, and the policy of operators, do not allow', async () => {
    assert.deepEqual(await emulator.refused(), [])
  })

  it('is taken down by dray destroy, which leaves and names what keeps data', async () => {
    const stacks = new CloudFormationClient(client())
    const standing = async () =>
      ((await stacks.send(new DescribeStacksCommand({}))).Stacks ?? [])
        .map(({ StackName = '' }) => StackName)
        .filter((name) => /^Dray-dev(-pipelines|-workflows)?$/.test(name))
    const before = await standing()

    const { code, stdout, stderr } = await drayIn(home, ['destroy', 'dev', '--yes'], emulator.variables)
    const after = await standing()
    stacks.destroy()

    assert.equal(code, 0, `${stderr}${stdout}`)
    assert.deepEqual([before.length, after], [3, []])
    const kept = /What keeps data is left: (.*)\. It is deleted by hand/.exec(stderr)?.[1]?.split(', ') ?? []
    assert.deepEqual(kept.map((one) => one.replace(/ \S+$/, '')).toSorted(), [
      'the bucket',
      'the bucket',
      'the key',
      'the table',
    ])
    const table = kept.find((one) => one.startsWith('the table'))?.replace('the table ', '')
    const items = new DynamoDBClient(client())
    const { Table } = await items.send(new DescribeTableCommand({ TableName: table }))
    items.destroy()
    assert.equal(Table?.TableStatus, 'ACTIVE')
  })
})
