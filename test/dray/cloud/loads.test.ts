import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json as documentOf } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { stackOutputs } from 'dray-infra/internal/aws/stack-outputs.ts'
import { type Connection, createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { type Ended, startDray, temporaryHome } from '#test/cli/dray-process.ts'
import { openMysql, openPostgres, type ValueDatabase } from '#test/contracts/value-databases.ts'
import { changeShape, digestsOf, makeShape, shapesOf } from '#test/pipeline/replica-shapes/shapes.ts'
import { startMariaDB } from '#test/services/mariadb.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { bootstrap, clientOf, putSecrets } from './account.ts'
import { type ObservedEmulator, startObserved } from './emulator.ts'
import { emulatorPackage } from './emulator-package.ts'

/* Loads that a pipeline has to ask for, where each step is a function and each part of a load an execution. */

const found = await emulatorPackage()
const mariadb = await startMariaDB()
const why = [found, mariadb].flatMap((part) => ('unavailable' in part ? [part.unavailable] : []))[0]
if (why !== undefined && process.env.CI === 'true') throw new Error(`CI must not skip suites: ${why}`)

const project = join(import.meta.dirname, 'loads')

/** What a webhook is sent. */
interface Notice {
  readonly what: string
  readonly run: string
  readonly steps: readonly { readonly step: string; readonly reason: string }[]
}

/** The tables that are copied: some of the shapes, or, by hand, all of 320. */
const copiesAll = process.env.DRAY_COPIES === 'all'
const small = shapesOf('mariadb').filter(({ isCopy, rows }) => !isCopy && rows <= 1_000)
const shapes = copiesAll ? shapesOf('mariadb') : small.filter((_, place) => place % 4 === 0)

/** How long a window waits for a row that is stamped now. */
const SETTLED_MS = 3_000

interface Run {
  readonly run_id: string
  readonly status: string
  readonly only: readonly string[] | null
  readonly steps: readonly {
    readonly step: string
    readonly status: string
    readonly read: number
  }[]
}

describe('loads that a pipeline asks for, in a cloud with IAM', { skip: why ?? false }, () => {
  const { home, remove } = temporaryHome()
  let emulator: ObservedEmulator
  let postgres: TestPostgres
  let crm: Client
  let lake: Client
  let shop: Connection
  let mart: Connection
  let far: ValueDatabase
  let near: ValueDatabase
  let webhook: Server
  const notices: Notice[] = []
  let variables: Readonly<Record<string, string>> = {}

  const dray = (...args: string[]) => startDray(home, args, variables, project).ended
  const succeeded = ({ code, stdout, stderr }: Ended) => {
    assert.equal(code, 0, `${stderr}${stdout}`)
    return stdout
  }
  const json = async (...args: string[]) => JSON.parse(succeeded(await dray(...args, '--env', 'dev', '--json')))
  const inLake = async (sql: string) => (await lake.query({ text: sql, rowMode: 'array' })).rows
  const inMart = async (sql: string) => (await mart.query({ sql, rowsAsArray: true }))[0]
  /** Those of the whole workflow or of one pipeline alone, the oldest first. */
  const runsOf = async (only: string | null) => {
    const { runs } = (await json('runs')) as { runs: readonly Run[] }
    return runs.filter((run) => (run.only?.join() ?? null) === only).toReversed()
  }

  before(async () => {
    if ('unavailable' in found || 'unavailable' in mariadb) return
    ;[emulator, postgres, near] = await Promise.all([startObserved(found.python), startPostgres(), openPostgres()])
    far = (await openMysql('mariadb', startMariaDB)) as ValueDatabase
    const urls = {
      crm: await postgres.createDatabase(),
      lake: await postgres.createDatabase(),
      shop: await mariadb.createDatabase(),
      mart: await mariadb.createDatabase(),
      far: far.url,
      near: near.url,
    }
    crm = new Client({ connectionString: urls.crm })
    lake = new Client({ connectionString: urls.lake })
    shop = await createConnection({ uri: urls.shop, multipleStatements: true })
    mart = await createConnection({ uri: urls.mart, multipleStatements: true })
    await Promise.all([crm.connect(), lake.connect(), bootstrap(emulator, home)])
    const secrets = Object.entries(urls).map(([name, url]) => [`${name}/url`, url])
    await putSecrets(emulator, { ...Object.fromEntries(secrets), webhook: 'key' })
    webhook = await startWebhook()
    variables = { ...emulator.variables, WEBHOOK_URL: `https://127.0.0.1:${(webhook.address() as AddressInfo).port}` }
    await crm.query(
      `create table customers (id bigint primary key, name text not null, updated_at timestamptz not null, seen_at timestamptz, deleted_at timestamptz);
       insert into customers select id, 'customer ' || id, timestamptz '2024-01-01Z' from generate_series(1, 5) as id;
       create table contacts (id bigint primary key, name text not null, status text not null, note text, updated_at timestamptz not null);
       insert into contacts select id, 'contact ' || id, 'active', null, timestamptz '2024-01-01Z' from generate_series(1, 5) as id;
       update contacts set status = 'blocked' where id = 3;
       create table readings (id bigint primary key, value integer not null, measured_at timestamptz not null);
       insert into readings select id, id, timestamptz '2024-01-01Z' from generate_series(1, 3) as id;
       create table price_changes (id bigint primary key, product varchar(20) not null, price integer not null, revision integer not null,
         valid_from timestamptz not null, updated_at timestamptz not null);
       insert into price_changes values (1, 'pen', 1, 1, '2024-01-01Z', '2024-01-01Z'), (2, 'pen', 3, 1, '2024-03-01Z', '2024-03-01Z')`,
    )
    await shop.query(
      `create table orders (id bigint primary key, label varchar(20) not null, created_at datetime(6) not null, updated_at datetime(6));
       insert into orders select seq, concat('order ', seq), timestampadd(minute, seq, '2024-01-01'), if(seq = 7, '2024-02-01', null) from seq_1_to_100;
       create table payments (id bigint primary key, customer_id bigint not null, updated_at datetime(6) not null);
       insert into payments values (1, 1, '2024-01-01'), (2, 9, '2024-01-01');
       create table events (id bigint primary key auto_increment, label text not null);
       insert into events (label) values ('one'), ('two');
       create table parts (order_id bigint, line bigint, product varchar(20) not null, is_open boolean not null default true);
       insert into parts (order_id, line, product) values (1, 1, 'pen'), (1, 2, 'ink'), (2, 1, 'pad'), (2, 2, 'cap');
       create view order_lines as select order_id, line, product from parts where is_open`,
    )
    await lake.query(
      `create table orders (id bigint primary key, label text not null);
       create table buyers (id bigint primary key);
       insert into buyers values (1);
       create table payments (id bigint primary key, customer_id bigint not null references buyers);
       create table first_contacts (id bigint primary key, name text not null);
       insert into first_contacts values (2, 'of somebody');
       create table readings (id bigint primary key, value integer not null, measured_at timestamp not null);
       create table lines (origin varchar(10), order_id bigint, line bigint, product text not null, primary key (origin, order_id, line));
       insert into lines values ('till', 1, 1, 'of others'), ('till', 9, 9, 'of others')`,
    )
    await mart.query(
      `create table customers (id bigint primary key, name varchar(100) not null);
       create table known_contacts (id bigint primary key, name varchar(100) not null);
       insert into known_contacts values (1, 'old'), (3, 'old');
       create table events (id bigint not null, label varchar(100) not null);
       create table price_versions (product varchar(20), valid_from datetime(6), valid_to datetime(6) not null, is_current boolean not null,
         price integer not null, revision integer not null, primary key (product, valid_from))`,
    )
    for (const shape of shapes) await makeShape(far, shape)
    succeeded(
      await dray('deploy', 'dev', '--require-approval', 'never', '--', '--output', join(emulator.folder, 'cdk.out')),
    )
    const stacks = new CloudFormationClient(clientOf(emulator))
    const { Stacks = [] } = await stacks.send(new DescribeStacksCommand({ StackName: 'Dray-dev' }))
    stacks.destroy()
    const policy = Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === stackOutputs.operatorPolicy)?.OutputValue
    variables = { ...variables, ...(await emulator.userWith(policy ?? '')) }
  })
  after(async () => {
    await Promise.all([crm?.end(), lake?.end(), shop?.end(), mart?.end(), far?.close(), near?.close()])
    webhook?.close()
    await emulator?.stop()
    await postgres?.stop()
    if (!('unavailable' in mariadb)) await mariadb.stop()
    remove()
  })

  /** Takes notices, by the emulator's certificate. */
  async function startWebhook(): Promise<Server> {
    const [cert, key] = ['crt', 'key'].map((kind) =>
      readFileSync(join(emulator.folder, `ministack-tls/server.${kind}`)),
    )
    const server = createServer({ cert, key }, async (request, response) => {
      notices.push((await documentOf(request)) as Notice)
      response.writeHead(201).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }

  it('succeed, and what a first load leaves is read by runs that follow each other', async () => {
    const first: Run = await json('run', 'loads')
    while ((await inLake('select count(*)::int from orders')).join() !== '100') await delay(300)
    while (!(await runsOf('orders')).every(({ status }) => status === 'success')) await delay(300)

    const read = (run: Run | undefined) => run?.steps.find(({ step }) => step === 'orders')?.read
    const following = await Promise.all((await runsOf('orders')).map(({ run_id }) => json('runs', 'show', run_id)))
    assert.deepEqual(
      first.steps.filter(({ status }) => status !== 'success'),
      [],
    )
    assert.deepEqual([first, ...following].map(read), [40, 40, 20])
  })

  it('succeed again when the sources have changed, and new columns have come', async () => {
    await crm.query(
      `alter table customers add column tier varchar(10);
       update customers set tier = 'gold', seen_at = now() where id = 1;
       update customers set deleted_at = now(), updated_at = now() where id = 2;
       insert into customers values (6, 'customer 6', now(), null, null, 'new');
       update contacts set name = 'changed ' || id, updated_at = now();
       insert into contacts values (6, 'contact 6', 'active', null, now());
       insert into readings values (4, 4, '2020-01-01Z'), (5, 5, now());
       insert into price_changes values (3, 'pen', 2, 1, '2024-02-01Z', now()), (4, 'pen', 4, 2, '2024-03-01Z', now())`,
    )
    await shop.query(
      `update orders set label = 'changed', updated_at = utc_timestamp(6) where id in (7, 8);
       insert into orders values (101, 'order 101', utc_timestamp(6), null);
       alter table payments add column method varchar(10);
       insert into payments values (3, 1, utc_timestamp(6), 'card');
       insert into events (label) values ('three');
       update parts set is_open = false where order_id = 1 and line = 2;
       update parts set product = 'pads' where order_id = 2 and line = 1`,
    )
    await lake.query('insert into buyers values (9)')
    await delay(SETTLED_MS)

    const run: Run = await json('run', 'loads')

    assert.deepEqual(
      run.steps.filter(({ status }) => status !== 'success'),
      [],
    )
    while (!notices.some(({ what }) => what === 'new_columns')) await delay(300)
    const said = notices.map(({ what, run, steps }) => [what, run, ...steps.map(({ step }) => step).toSorted()])
    // The source of payments was old when it was read first.
    assert.deepEqual(said, [
      ['checks', (await runsOf(null))[0]?.run_id, 'payments'],
      ['new_columns', run.run_id, 'customers', 'payments'],
    ])
  })

  it('read by the first of two stamps', async () => {
    assert.deepEqual(await inLake("select count(*)::int, count(*) filter (where label = 'changed')::int from orders"), [
      [101, 2],
    ])
  })

  it('delete rows that a field says to be deleted, and add a column to the target on MariaDB', async () => {
    assert.deepEqual(await inMart('select id, name, tier from customers order by id'), [
      [1, 'customer 1', 'gold'],
      [3, 'customer 3', null],
      [4, 'customer 4', null],
      [5, 'customer 5', null],
      [6, 'customer 6', 'new'],
    ])
  })

  it('try rows of the quarantine again, and add a column to the target on PostgreSQL', async () => {
    assert.deepEqual(await inLake('select id::int, customer_id::int, method from payments order by id'), [
      [1, 1, null],
      [2, 9, null],
      [3, 1, 'card'],
    ])
    assert.deepEqual((await json('quarantine', 'list')).quarantine, [])
  })

  it('insert new keys only', async () => {
    assert.deepEqual(await inLake('select id::int, name from first_contacts order by id'), [
      [1, 'contact 1'],
      [2, 'of somebody'],
      [3, 'contact 3'],
      [4, 'contact 4'],
      [5, 'contact 5'],
      [6, 'contact 6'],
    ])
  })

  it('update known keys only, of rows that a condition chooses', async () => {
    assert.deepEqual(await inMart('select id, name from known_contacts order by id'), [
      [1, 'changed 1'],
      [3, 'old'],
    ])
  })

  it('append by a number that grows', async () => {
    assert.deepEqual(await inMart('select id, label from events order by id'), [
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
    ])
  })

  it('read rows that come with an old stamp', async () => {
    assert.deepEqual(await inLake('select id::int, value from readings order by id'), [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
      [5, 5],
    ])
  })

  it('delete rows that a view has no more, and none of others', async () => {
    assert.deepEqual(await inLake('select origin, order_id::int, line::int, product from lines order by 1, 2, 3'), [
      ['shop', 1, 1, 'pen'],
      ['shop', 2, 1, 'pads'],
      ['shop', 2, 2, 'cap'],
      ['till', 1, 1, 'of others'],
      ['till', 9, 9, 'of others'],
    ])
  })

  it('put a version in its place by the time of the source', async () => {
    const day = (column: string) => `date_format(${column}, '%Y-%m-%d')`
    assert.deepEqual(
      await inMart(
        `select price, ${day('valid_from')}, ${day('valid_to')}, is_current from price_versions order by valid_from`,
      ),
      [
        [1, '2024-01-01', '2024-02-01', 0],
        [2, '2024-02-01', '2024-03-01', 0],
        [4, '2024-03-01', '9999-12-31', 1],
      ],
    )
  })

  it('fail where a check does not hold, leave last_run, and succeed when the rows are mended', async () => {
    const lastRun = async () => {
      const { pipelines } = await json('state')
      return pipelines.find(({ pipeline }: { pipeline: string }) => pipeline === 'payments').last_run
    }
    const before = await lastRun()
    await shop.query("insert into payments values (4, 1, utc_timestamp(6), 'card')")
    await delay(SETTLED_MS)

    const { code, stdout } = await dray('run', 'payments', '--env', 'dev', '--json')
    const failed = JSON.parse(stdout)
    const told = () => notices.find(({ what, run }) => what === 'checks' && run === failed.run_id)
    while (told() === undefined) await delay(300)
    const after = await lastRun()
    await inLake('delete from payments where id = 4')
    const resumed = await json('resume', failed.run_id)

    const [step] = failed.steps
    const statuses = (of: { checks: { status: string }[] }) => of.checks.map(({ status }) => status)
    assert.deepEqual(
      [code, step.status, statuses(step), step.owner],
      [1, 'failed', ['failed', 'passed'], 'payments team'],
    )
    assert.match(
      told()?.steps[0]?.reason ?? '',
      /rowCount of lake\.payments: it has 4 rows, and 3 at most are expected/,
    )
    assert.equal(after, before)
    assert.deepEqual([resumed.status, statuses(resumed.steps[0])], ['success', ['passed', 'passed']])
  })

  it('copy all tables of a database, and again when they have changed', async () => {
    const unlike = async () => {
      const tables: string[] = []
      for (const shape of shapes) {
        const [there, here] = await Promise.all([
          digestsOf(far, far.quote(shape.table), shape),
          digestsOf(near, near.quote(shape.table), shape).catch(String),
        ])
        if (there.join() !== here.toString()) tables.push(`${shape.table}: ${here.length} of ${there.length} rows`)
      }
      return tables
    }
    const first: Run = await json('run', 'copied')
    assert.deepEqual([first.status, await unlike()], ['success', []])

    for (const shape of shapes) await changeShape(far, shape, 0)
    await delay(SETTLED_MS)
    const second: Run = await json('run', 'copied')

    assert.deepEqual([second.status, await unlike()], ['success', []])
  })

  it('never call what their roles do not allow', async () => {
    assert.deepEqual(await emulator.refused(), [])
  })
})
