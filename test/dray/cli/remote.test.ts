import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { emptyStep } from 'dray/internal/state/state-store.ts'
import { settleRun } from 'dray/internal/triggers/settle-run.ts'
import { createFirstTargets } from 'dray-infra/internal/runs/target-tables.ts'
import { Client } from 'pg'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { fixtureProject } from '#test/fixture-project.ts'
import { type DeployedTestEnvironment, startDeployedEnvironment } from '#test/services/deployed-environment.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { dray as drayIn, startDray, temporaryHome } from './dray-process.ts'

/*
 * The command as a process on the environment `dev`: state in dynalite, staging in S3 (fauxqs), databases in
 * PostgreSQL, the handlers and the state machine as they are. What stands for CloudFormation, Step Functions,
 * CloudWatch Logs and Secrets Manager is a server of the tests that speaks as much of them as is asked for here.
 */

describe('dray --env dev', () => {
  const { home, remove } = temporaryHome()
  let postgres: TestPostgres
  let environment: DeployedTestEnvironment
  let shop: Client
  let till: Client
  let lake: Client
  const urls: Record<string, string> = {}

  const dray = (...args: string[]) => drayIn(home, [...args, '--env', 'dev'], environment.variables)

  /** The document that a verb prints with --json; it has to succeed. */
  async function json(...args: string[]) {
    const { code, stdout, stderr } = await dray(...args, '--json')
    assert.equal(code, 0, `${stderr}${stdout}`)
    return JSON.parse(stdout)
  }

  /** One line on stderr and nothing else. */
  async function refused(message: RegExp, expected: number, ...args: string[]) {
    const { code, stdout, stderr } = await dray(...args)
    assert.match(stderr, message)
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
    assert.deepEqual([code, stdout], [expected, ''])
  }

  const lastRun = async () => (await environment.state.pipeline('orders'))?.lastRun ?? null
  const count = async (table: string) =>
    Number((await lake.query(`select count(*)::int as rows from ${table}`)).rows[0].rows)
  const inputs = () => [...environment.aws.executions.values()].map(({ input }) => JSON.parse(input))

  async function connect(name: string): Promise<Client> {
    urls[name] = await postgres.createDatabase()
    const client = new Client({ connectionString: urls[name] })
    await client.connect()
    return client
  }

  before(async () => {
    postgres = await startPostgres()
    shop = await connect('shop')
    till = await connect('till')
    lake = await connect('lake')
    await shop.query(
      `create table customers (id bigint primary key, name text, email text, phone text, address text, created_at text);
       insert into customers (id, name) values (1, 'Ann'), (2, '')`,
    )
    await till.query(
      `create table orders (id bigint primary key, customer_id bigint, order_date timestamp, total_amount numeric(12, 2),
         status text, last_updated timestamp not null);
       insert into orders select id, 1, '2024-01-01', 1.00, 'new', timestamp '2024-01-01 12:00' + (id - 1) * interval '1 day'
         from generate_series(1, 10) as id`,
    )
    environment = await startDeployedEnvironment(nightly, urls)
    process.env.LAKE_DATABASE_URL = urls.lake
    await createFirstTargets(await fixtureProject(), ['customers', 'orders'], environment.state)
  })
  after(async () => {
    await environment.stop()
    for (const client of [shop, till, lake]) await client.end()
    await postgres.stop()
    remove()
  })

  it('run starts an execution, shows it until it ends, and reports as a local run does', async () => {
    const remote = await json('run', 'nightly')
    const shown = await dray('run', 'customers')

    const { run_id: id, steps, ...head } = remote
    assert.deepEqual([head.workflow, head.status, inputs()[0]], ['nightly', 'success', { trigger: 'manual' }])
    assert.deepEqual(
      steps.map(({ step, read, inserted, quarantined }: Record<string, unknown>) => [
        step,
        read,
        inserted,
        quarantined,
      ]),
      [
        ['customers', 2, 1, 1],
        ['orders', 10, 10, 0],
        ['data-mart', steps[2].read, steps[2].inserted, 0],
      ],
    )
    assert.deepEqual([await count('customer_dim'), await count('order_fact')], [1, 10])
    assert.match(id, /^\d{4}-\d{2}-\d{2}t\d{6}-[0-9a-z]{7}$/)
    assert.match(shown.stdout, /customers +success +2 +0 +0 +1/)
    assert.match(shown.stdout, /s3:\/\/dray-dev-staging\/quarantine\/customers\//)
    assert.match(shown.stdout, /`npx dray run customers --env dev` loads everything again/)
    assert.match(shown.stderr, /customers: success/)
    assert.deepEqual(inputs()[1], { trigger: 'manual', only: ['customers'] })
  })

  it('run reports what a local run over the same sources does', async () => {
    const local = temporaryHome()
    const bound = Object.fromEntries(
      Object.entries(urls).map(([name, url]) => [`${name.toUpperCase()}_DATABASE_URL`, url]),
    )
    const own = { ...bound, LAKE_DATABASE_URL: `sqlite:${local.home}/lake.db` }
    await lake.query('delete from customer_dim')

    const remote = await json('run', 'customers')
    const { stdout } = await drayIn(local.home, ['run', 'customers', '--json'], { ...environment.variables, ...own })

    assert.deepEqual(withoutTimes(remote), withoutTimes(JSON.parse(stdout)))
    local.remove()
  })

  it('run --detach returns with the run at once, and runs watch shows it to its end', async () => {
    const started = await json('run', 'orders', '--keys', '3', '--detach')

    const watched = await json('runs', 'watch', started.run_id)

    const of = { workflow: 'nightly', only: ['orders'] }
    assert.deepEqual(started, { version: 1, run_id: started.run_id, ...of, status: 'running' })
    assert.deepEqual([watched.run_id, watched.only, watched.status], [started.run_id, ['orders'], 'success'])
    assert.deepEqual(
      watched.steps.map(({ step, read }: { step: string; read: number }) => [step, read]),
      [['orders', 1]],
    )
    assert.deepEqual(inputs().at(-1), { trigger: 'manual', only: ['orders'], mode: { keys: ['3'] } })
  })

  it('Ctrl-C leaves the run at work and says how to go on', async () => {
    await environment.idle()
    await lake.query('begin; lock table order_fact in exclusive mode')
    const { child, ended } = startDray(
      home,
      ['run', 'orders', '--keys', '4', '--env', 'dev', '--progress', 'log'],
      environment.variables,
    )
    let shown = ''
    child.stderr.on('data', (text) => {
      shown += text
    })
    while (!/^orders: 0 of 1 partition loaded$/m.test(shown)) await delay(50)

    child.kill('SIGINT')
    const { code, stdout } = await ended
    await lake.query('rollback')
    await environment.idle()

    const [, id] = /^The run (\S+) goes on: `npx dray runs watch \S+ --env dev` shows it/.exec(stdout) ?? []
    assert.equal(code, 130)
    assert.equal(environment.aws.executions.get(id ?? '')?.status, 'SUCCEEDED')
  })

  it('runs stop ends a run, whose report says so, and resume loads the rest', async () => {
    await lake.query('begin; lock table order_fact in exclusive mode')
    const { run_id: id } = await json('run', 'orders', '--keys', '5,6', '--detach')
    const watching = dray('runs', 'watch', id, '--progress', 'none')
    while ((await environment.state.run(id))?.steps[0]?.status !== 'running') await delay(50)

    const stopped = await json('runs', 'stop', id)
    const watched = await watching
    await lake.query('rollback')
    await environment.idle()

    assert.deepEqual(stopped, { version: 1, run_id: id, stopped: true })
    assert.equal(watched.code, 130, watched.stderr)
    assert.match(watched.stdout, /orders failed: The execution was aborted: Stopped: by dray runs stop of/)
    assert.match(watched.stdout, /`npx dray resume \S+ --env dev`/)
    assert.equal((await environment.state.pipeline('orders'))?.leaseOwner, null)
    await refused(/has ended, so there is nothing to stop/, 2, 'runs', 'stop', id)

    const resumed = await json('resume', id)
    assert.deepEqual([resumed.only, resumed.status, resumed.steps[0].read], [['orders'], 'success', 2])
    assert.deepEqual(inputs().at(-1), { trigger: 'resume', only: ['orders'], mode: { resume: id } })
  })

  it('runs watch, logs and stop know the run of a pipeline whose machine a person has started', async () => {
    const [id, startTime] = ['by-hand', Date.now()]
    await environment.state.startRun({ id, workflow: 'orders', startTime, runner: 'stepfunctions', trigger: 'manual' })
    await environment.state.putStep({ ...emptyStep(id, 'orders'), startTime })
    const execution = { name: id, input: '{}', status: 'RUNNING' as const, startDate: startTime / 1000 }
    environment.aws.executions.set(id, execution)
    const message = `{"message":"started","run_id":"${id}"}\n`
    environment.aws.logEvents.push({ group: '/dray/dev/orders', timestamp: startTime, message })

    const stopped = await json('runs', 'stop', id)
    environment.aws.executions.set(id, { ...execution, status: 'ABORTED', stopDate: startTime / 1000 })
    const { code, stdout } = await dray('runs', 'watch', id, '--progress', 'none')
    const logged = await json('runs', 'logs', id)

    assert.deepEqual([stopped.stopped, logged.entries.length], [true, 1])
    assert.ok(environment.aws.stopped.some((arn) => arn.endsWith(':execution:Dray-dev_orders_pipeline:by-hand')))
    assert.deepEqual([code, /orders failed: The execution was aborted/.test(stdout)], [130, true], stdout)
    assert.doesNotMatch(stdout, /customers/)
    await settleRun({ id, reason: 'stopped', now: Date.now(), pipelines: ['orders'] }, environment.state)
  })

  it('a run whose pipeline another one holds ends with 3, and is resumed when that one has ended', async () => {
    await lake.query('begin; lock table order_fact in exclusive mode')
    const { run_id: holder } = await json('run', 'orders', '--keys', '4', '--detach')
    while ((await environment.state.pipeline('orders'))?.leaseOwner !== holder) await delay(50)

    const { code, stdout } = await dray('run', 'orders', '--progress', 'none')
    await lake.query('rollback')
    await environment.idle()

    const [, refusedRun] = /Run (\S+): refused/.exec(stdout) ?? []
    const { runs } = await json('runs')
    assert.equal(code, 3, stdout)
    assert.equal(runs.find(({ run_id: id }: { run_id: string }) => id === refusedRun)?.status, 'refused')
    assert.match(stdout, new RegExp(`orders refused: .*is held by ${holder}`))
    assert.deepEqual(
      [inputs().at(-1).trigger, inputs().at(-1).only, inputs().at(-1).mode],
      ['follow-up', ['orders'], { resume: refusedRun }],
    )
  })

  it('backfill loads a range again and leaves last_run alone', async () => {
    const before = await lastRun()
    await lake.query('delete from order_fact')

    const report = await json('backfill', 'orders', '--from', '2024-01-03', '--to', '2024-01-06', '--chunk', '1d')

    assert.deepEqual([report.steps[0].read, await count('order_fact'), await lastRun()], [3, 3, before])
  })

  it('runs lists them and shows one, with its steps', async () => {
    const { runs } = await json('runs', '--limit', '2')
    const shown = await json('runs', 'show', runs[0].run_id)
    const { stdout } = await dray('runs')

    assert.deepEqual([runs.length, runs[0].workflow, runs[0].runner], [2, 'nightly', 'stepfunctions'])
    assert.deepEqual([shown.steps[0].step, shown.partitions.length], ['orders', 3])
    assert.match(stdout, new RegExp(`^${runs[0].run_id} +orders of nightly +success`, 'm'))
    await refused(/There is no run r-1; `npx dray runs --env dev`/, 2, 'runs', 'show', 'r-1')
  })

  it('runs show prints what a run has cost by its calls, and what dray plan said before', async () => {
    const { runs } = await json('runs', '--limit', '1')
    const [{ run_id: id }] = runs

    const { cost } = await json('runs', 'show', id)
    const { stdout } = await dray('runs', 'show', id)

    const sum = Object.values(cost.parts as Record<string, number>).reduce((all, part) => all + part, 0)
    // Plan, three partitions of three calls, Commit and Finish.
    assert.deepEqual([cost.calls, cost.calls_assumed, cost.state_transitions], [12, 0, 26])
    assert.ok(cost.gigabyte_seconds > 0 && Math.abs(sum - cost.us_dollars) < 1e-9)
    const [line] = /^ {2}cost: .*$/m.exec(stdout) ?? []
    const [measured, planned] = [cost.us_dollars.toFixed(4), cost.planned_us_dollars.toFixed(4)]
    assert.equal(line, `  cost: ${measured} US dollars by its calls (plan: ${planned})`)
  })

  it('runs logs prints what the functions of that run have logged, in the order of time', async () => {
    const { runs } = await json('runs', '--limit', '2')
    const [{ run_id: id }] = runs

    const { entries } = await json('runs', 'logs', id)
    const { stdout } = await dray('runs', 'logs', id)

    assert.ok(entries.every((entry: { run: string }) => entry.run === id))
    const [first, second] = entries
    assert.deepEqual([first.step, first.message, second.message], ['plan', 'started', 'succeeded'])
    assert.deepEqual([entries.at(-1).step, entries.at(-1).message], ['finish', 'succeeded'])
    assert.match(stdout, /^\d\d:\d\d:\d\d\.\d{3} INFO +orders load 2: succeeded +request_id=\S+ +milliseconds=\d+$/m)
    await refused(/There is no execution r-1 in dev/, 2, 'runs', 'logs', 'r-1')
  })

  it('state shows, sets and resets last_run', async () => {
    await refused(/what changed since 2024-01-05 .*--yes/, 2, 'state', 'set', 'orders', '2024-01-05')

    const set = await json('state', 'set', 'orders', '2024-01-05', '--yes')
    const { pipelines } = await json('state', 'show', 'orders')
    const reset = await json('state', 'reset', 'orders', '--yes')

    const expected = '2024-01-05T00:00:00.000000Z'
    assert.deepEqual([set.last_run, pipelines[0].last_run, reset.last_run_before], [expected, expected, expected])
    assert.equal(await lastRun(), null)
  })

  it('quarantine lists, shows, replays and discards', async () => {
    const { quarantine } = await json('quarantine', 'list', 'customers')
    const { rows } = await json('quarantine', 'show', quarantine[0].run_id)
    await shop.query("update customers set name = 'Bob' where id = 2")

    const replayed = await json('quarantine', 'replay', 'customers', '--id', rows[0].id)
    const { mode } = inputs().at(-1)
    await refused(/has no open row/, 2, 'quarantine', 'replay', 'customers', '--progress', 'none')
    const all = (await json('quarantine', 'list', 'customers', '--all')).quarantine
    await shop.query("update customers set name = '' where id = 2")
    await json('run', 'customers')
    await shop.query("update customers set name = 'Bob' where id = 2")
    const { discarded } = await json('quarantine', 'discard', 'customers', '--yes')
    const { pruned } = await json('quarantine', 'prune', '--days', '1', '--yes')

    assert.ok(all.every(({ open }: { open: number }) => open === 0))
    assert.deepEqual([discarded.length, pruned], [1, []])
    assert.deepEqual([quarantine[0].open, rows[0].row.id, rows[0].state], [1, '2', 'open'])
    assert.deepEqual([replayed.steps[0].read, mode], [1, { replay: { run: null, ids: [rows[0].id] } }])
    assert.equal((await json('quarantine', 'show', rows[0].id)).rows[0].state, 'replayed')
    assert.ok(!discarded.includes(rows[0].id))
  })

  it('plan, preview and reconcile connect to the databases by the secrets of the environment', async () => {
    const { rows } = await json('plan', 'orders')
    await json('run', 'orders')
    await lake.query('delete from order_fact where order_id > 3')
    const preview = await json('preview', 'orders', '--keys', '3')
    const { code, stdout } = await dray('reconcile', 'orders', '--fix')

    assert.deepEqual([rows, preview.rows[0].source.id], [10, '3'])
    assert.equal(code, 0, stdout)
    assert.match(stdout, /Loaded again: 7 rows read, 7 written/)
    assert.equal(await count('order_fact'), 10)
  })

  it('says that a database cannot be reached from here, and by which way it could', async () => {
    environment.aws.secrets.set('/dray/dev/till/url', 'postgres://reader:canary@127.0.0.1:1/till')

    const { code, stderr } = await dray('plan', 'orders')

    environment.aws.secrets.set('/dray/dev/till/url', urls.till as string)
    assert.equal(code, 2)
    assert.match(stderr, /^dray: A database of dev cannot be reached from this machine.*127\.0\.0\.1:1.*tunnel/)
    assert.doesNotMatch(stderr, /canary/)
  })

  it('refuses before anything is started', async () => {
    const { size } = environment.aws.executions

    await refused(/no workflow or pipeline dayly/, 2, 'run', 'dayly')
    await refused(/keys of one pipeline/, 2, 'run', 'nightly', '--keys', '1')
    await refused(/--from "soon" is not a point/, 2, 'backfill', 'orders', '--from', 'soon', '--to', '2024-01-01')
    await refused(/There is no run nowhere/, 2, 'resume', 'nowhere')
    await refused(/--demo works on this machine only/, 2, 'run', 'orders', '--demo')
    await refused(/`dray import` works on this machine only/, 2, 'import', 'csv', 'x.csv', '--into', 'shop.customers')

    assert.equal(environment.aws.executions.size, size)
  })

  describe('says in a line, with exit code 2, that', () => {
    async function refusedWith(message: RegExp, variables: NodeJS.ProcessEnv, target = 'dev') {
      const { code, stdout, stderr } = await drayIn(home, ['runs', '--env', target], {
        ...environment.variables,
        ...variables,
      })
      assert.match(stderr, message)
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
      assert.deepEqual([code, stdout], [2, ''])
    }

    it('there is no such environment', () => refusedWith(/no environment test.*here are dev, prod/, {}, 'test'))
    it('there is no such stack', () => refusedWith(/no stack Dray-prod .*`npx dray deploy prod`/, {}, 'prod'))
    it('there are no credentials', () =>
      refusedWith(/no credentials of AWS.*aws sso login/, {
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_EC2_METADATA_DISABLED: 'true',
        HOME: home,
      }))
    it('no region is known', () => refusedWith(/No region of AWS.*AWS_REGION/, { AWS_REGION: undefined, HOME: home }))
    it('AWS cannot be reached', () =>
      refusedWith(/AWS cannot be reached from here/, { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }))

    for (const [code, message] of [
      ['ExpiredToken', /credentials of AWS have expired.*sign in again/],
      ['InvalidClientTokenId', /AWS does not know these credentials/],
      ['AccessDenied', /AWS refused.*operator policy of Dray-dev/],
    ] as const) {
      it(`AWS answers ${code}`, async () => {
        environment.aws.refusals.set('DescribeStacks', code)

        await refusedWith(message, {})

        environment.aws.refusals.delete('DescribeStacks')
      })
    }

    it('a run may not be started', async () => {
      environment.aws.refusals.set('StartExecution', 'AccessDeniedException')

      await refused(/AWS refused.*StartExecution.*operator policy/, 2, 'run', 'orders', '--progress', 'none')

      environment.aws.refusals.delete('StartExecution')
    })

    it('the stack is older than the command', async () => {
      const { stacks } = environment.aws.cloudFormation
      const stack = stacks.get('Dray-dev')
      stacks.set('Dray-dev', { status: 'ROLLBACK_COMPLETE', outputs: {} })

      await refusedWith(/Dray-dev \(ROLLBACK_COMPLETE\) has no output StateTable.*`npx dray deploy dev`/, {})

      if (stack) stacks.set('Dray-dev', stack)
    })
  })
})

/** What is the same for two runs over the same rows. */
function withoutTimes(report: { steps: Record<string, unknown>[] }) {
  const { run_id: _id, seconds: _seconds, steps, ...rest } = report as Record<string, unknown> & typeof report
  return {
    ...rest,
    steps: steps.map(({ seconds, quarantine, start_time, end_time, ...step }) => ({
      ...step,
      kept: quarantine !== null,
    })),
  }
}
