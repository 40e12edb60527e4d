import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  CloudFormationClient,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation'
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { ListExecutionsCommand, SFNClient, StartExecutionCommand, StopExecutionCommand } from '@aws-sdk/client-sfn'
import { allUnitsOf } from 'dray/internal/workflow/placeholders.ts'
import { stackOutputs } from 'dray-infra/internal/aws/stack-outputs.ts'
import { loadProject } from 'dray-infra/internal/project/load-project.ts'
import { Client } from 'pg'
import {
  type Call,
  parseCall,
  recordedLines,
  recordFile,
  recordOf,
  refusals,
  withImplied,
} from '#test/aws/grants/calls.ts'
import { attributesOf, placeholderName, readDeployment } from '#test/aws/grants/deployment.ts'
import { features } from '#test/aws/grants/synthesized-features.ts'
import { type Ended, startDray, temporaryHome } from '#test/cli/dray-process.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { sharedData, withoutSharedData } from '#test/shared-data.ts'
import { bootstrap, clientOf, putSecrets } from './account.ts'
import { type ObservedEmulator, startObserved } from './emulator.ts'
import { emulatorPackage } from './emulator-package.ts'

const found = await emulatorPackage()
const why = 'unavailable' in found ? found.unavailable : false
if (why !== false && process.env.CI === 'true') throw new Error(`CI must not skip suites: ${why}`)

const ENV = ['--env', 'dev'] as const

const PIPELINES = 'Dray-dev_pipelines_eu-west-1'

/** What the source stamps a row with, and how long a window waits for such a row. */
const NOW = "now() at time zone 'utc'"
const SETTLED_MS = 3_000

describe('the grants of an environment that does everything', { skip: why }, () => {
  const { home, remove } = temporaryHome()
  let emulator: ObservedEmulator
  let postgres: TestPostgres
  let sink: Server
  let shop: Client
  let lake: Client
  let music: Client
  let person: Readonly<Record<string, string>> = {}
  let variables: Readonly<Record<string, string>> = {}

  const dray = (...args: string[]) => startDray(home, args, { ...variables, ...person }, features).ended
  const succeeded = ({ code, stdout, stderr }: Ended) => {
    assert.equal(code, 0, `${stderr}${stdout}`)
    return stdout
  }
  const json = async (...args: string[]) => JSON.parse(succeeded(await dray(...args, ...ENV, '--json')))
  const client = () => clientOf(emulator)
  const statuses = ({ steps }: { steps: readonly { step: string; status: string }[] }) =>
    steps.map(({ step, status }) => `${step} ${status}`)
  const recordedSteps = async (id: string): Promise<string[]> => {
    const { steps = [] } = await json('runs', 'show', id)
    return steps.map(({ step, status }: { step: string; status: string }) => `${step} ${status}`)
  }
  const machine = (name: string) => `arn:aws:states:eu-west-1:000000000000:stateMachine:Dray-dev_${name}`
  const called = async (action: string, by: string) =>
    (await emulator.decisions()).filter((one) => one.action === action && one.caller.endsWith(by)).length
  const until = async (what: () => Promise<boolean>) => {
    while (!(await what())) await delay(300)
  }
  const put = async (detail: object) => {
    const bus = new EventBridgeClient(client())
    const entry = { Source: 'upstream.items', DetailType: 'EntityUpdated', Detail: JSON.stringify(detail) }
    await bus.send(new PutEventsCommand({ Entries: [entry] }))
    bus.destroy()
  }
  const quiet = () =>
    until(async () => {
      const { runs } = await json('runs')
      const isRunning = runs.some(({ status }: { status: string }) => status === 'running')
      return !isRunning && !/ until /.test(succeeded(await dray('state', ...ENV)))
    })
  const locked = async (work: () => Promise<void>, table = 'items') => {
    await lake.query(`begin; lock table ${table} in exclusive mode`)
    await work().finally(() => lake.query('rollback'))
  }

  before(async () => {
    if ('unavailable' in found) return
    emulator = await startObserved(found.python)
    const tls = join(emulator.folder, 'ministack-tls')
    sink = createServer(
      { cert: readFileSync(join(tls, 'server.crt')), key: readFileSync(join(tls, 'server.key')) },
      (request, response) => request.resume().on('end', () => response.writeHead(201).end()),
    ).listen(0, '127.0.0.1')
    await once(sink, 'listening')
    const LINEAGE_URL = `https://127.0.0.1:${(sink.address() as AddressInfo).port}`
    variables = { ...emulator.variables, LINEAGE_URL, WEBHOOK_URL: LINEAGE_URL }
    postgres = await startPostgres()
    const [own, target, chinook] = await Promise.all([1, 2, 3].map(() => postgres.createDatabase()))
    const urls = { shop: own as string, lake: target as string, music: chinook as string }
    shop = new Client({ connectionString: urls.shop })
    lake = new Client({ connectionString: urls.lake })
    music = new Client({ connectionString: urls.music })
    await Promise.all([shop.connect(), lake.connect(), music.connect()])
    await music.query(musicTables())
    await shop.query(
      `create table items (id bigint primary key, name text not null, note text, changed_at timestamp not null);
       create table readings (id bigint primary key);
       insert into items select id, 'item ' || id, null, timestamp '2024-01-01' + id * interval '1 minute' from generate_series(1, 30) as id;
       update items set name = 'bad' where id = 1;
       update items set name = 'odd' where id = 2;
       update items set name = ' ' where id = 3;
       update items set name = 'erased' where id = 5;
       update items set name = 'item 30' where id = 4;
       update items set name = 'forbidden', note = 'forbidden' where id = 11;
       insert into readings select id from generate_series(1, 501) as id`,
    )
    await lake.query(
      `create table kept_items (id bigint primary key, name text not null, deleted_at timestamp);
       create table items (id bigint primary key, name text not null check (name <> 'forbidden'));
       create table listed_items (id bigint primary key, name text not null);
       create table item_versions (id bigint, valid_from timestamp, valid_to timestamp, is_current boolean not null, name text not null, primary key (id, valid_from));
       create table logged_items (id bigint not null, note text check (note <> 'forbidden'));
       create table items_of_name (name varchar(100) primary key, id bigint not null, changed_at timestamp not null);
       create table readings (id bigint primary key);
       create schema raw;
       create view raw.genre as select 1 as genre_id`,
    )
    await putSecrets(emulator, {
      'shop/url': urls.shop,
      'lake/url': urls.lake,
      'music/url': urls.music,
      lineage: 'key',
      slack: `${LINEAGE_URL}/slack`,
      webhook: 'key',
    })
    await bootstrap(emulator, home)
    succeeded(
      await dray('deploy', 'dev', '--require-approval', 'never', '--', '--output', join(emulator.folder, 'cdk.out')),
    )
    const stacks = new CloudFormationClient(client())
    const { Stacks = [] } = await stacks.send(new DescribeStacksCommand({ StackName: 'Dray-dev' }))
    stacks.destroy()
    const output = (key: string) =>
      Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === key)?.OutputValue as string
    person = await emulator.userWith(output(stackOutputs.operatorPolicy), output(stackOutputs.databasePolicy))
  })
  after(async () => {
    if (process.env.KEEP_LOG) writeFileSync(process.env.KEEP_LOG, JSON.stringify(await emulator.decisions()))
    await shop?.end()
    await lake?.end()
    await music?.end()
    sink?.close()
    await emulator?.stop()
    await postgres?.stop()
    remove()
  })

  it('suffice for a run that loads, rejects, finds and is refused', async () => {
    const run = await json('run', 'everything')

    assert.deepEqual(
      statuses(run).filter((step) => !step.endsWith(' success')),
      [],
    )
    assert.equal((await json('runs', 'show', run.run_id)).steps.length, 9)
    assert.ok((await json('runs', 'logs', run.run_id)).entries.length > 0)
  })

  it('suffice for a replay before anything is closed, and for the other verbs of the quarantine', async () => {
    await json('quarantine', 'replay', 'items')
    await json('quarantine', 'list', '--all')
    await json('quarantine', 'show', 'items', '--all')
    await json('quarantine', 'findings', 'items')
    await json('quarantine', 'discard', 'items', '--reason', 'tried', '--yes')
    await json('quarantine', 'prune', '--days', '1', '--yes')
  })

  it('suffice for events, good and bad', async () => {
    const causation = [{ workflow: 'wide', run: 'never-was' }]
    await put({ version: 1, id: 'one', entity: 'items', source: 'shop', keys: [7], causation })
    await put({ what: 'no event' })
    await until(async () => (await called('states:StartExecution', 'everything_workflow_start')) > 0)
    await until(async () => (await called('sqs:SendMessage', 'everything_workflow_start')) > 0)
    await quiet()
  })

  it('suffice for deletes of each kind, rows of several megabytes and rows that land after all', async () => {
    await shop.query(`update items set name = 'bad', changed_at = ${NOW} where id in (5, 6)`)
    await delay(SETTLED_MS)
    await json('run', 'items')
    await shop.query(`
      update items set name = 'good', changed_at = ${NOW} where id in (5, 6);
      delete from items where id > 27;
      update items set name = 'item 9', changed_at = ${NOW} where id = 20;
      insert into items select 100 + id, 'large ' || id, (select string_agg(md5(random()::text), '') from generate_series(1, 131072) where id > 0), ${NOW}
        from generate_series(1, 4) as id`)
    await delay(SETTLED_MS)

    const run = await json('run', 'everything')

    assert.deepEqual(
      statuses(run).filter((step) => !step.endsWith(' success')),
      [],
    )
  })

  it('suffice for a reconciliation, which finds a row that came with an old stamp and tells of it', async () => {
    await shop.query("insert into items values (60, 'late', null, '2020-01-01')")
    const told = await called('sns:Publish', 'everything_workflow_janitor')

    const { run_id: id, steps } = await json('run', 'everything', '--only', 'reconcile-items,reconcile-kept')

    assert.deepEqual(
      steps.map(({ step, status }: { step: string; status: string }) => `${step} ${status}`),
      ['reconcile-items success', 'reconcile-kept success'],
    )
    const [{ reconciled }] = steps
    assert.deepEqual(
      reconciled.first.filter(({ key }: { key: { id: string } }) => key.id === '60'),
      [{ kind: 'missing', key: { id: '60' }, columns: [] }],
    )
    const shown = succeeded(await dray('runs', 'show', id, ...ENV))
    assert.match(shown, /note: reconcile-items: \d+ missing, .*missing id=60/)
    await until(async () => (await called('sns:Publish', 'everything_workflow_janitor')) > told)
  })

  it('suffice for distributed partitions', async () => {
    const { run_id: id } = await json('run', 'wide', '--detach')
    await until(async () =>
      (await emulator.allowed('lambda:InvokeFunction')).some((arn) => arn.includes('readings_load')),
    )

    await json('runs', 'stop', id)

    await dray('runs', 'watch', id, ...ENV)
    await quiet()
  })

  it('suffice for a failure and its resumption', async () => {
    await lake.query('alter table items rename column name to other')
    await shop.query(`update items set changed_at = ${NOW} where id = 10`)
    await delay(SETTLED_MS)
    const { stdout } = await dray('run', 'everything', ...ENV, '--json')
    await lake.query('alter table items rename column other to name')

    assert.ok(statuses(await json('resume', JSON.parse(stdout).run_id)).includes('mart success'))
  })

  it('suffice for runs of keys and of ranges', async () => {
    await json('run', 'items', '--keys', '7,8')
    await json('backfill', 'items', '--from', '2024-01-01', '--to', '2024-01-03', '--chunk', '1d', '--yes')
  })

  it('suffice for a stopped run, and for one that is refused and followed up', async () => {
    await locked(async () => {
      const { run_id: id } = await json('run', 'items', '--keys', '1,7', '--detach')
      await until(async () => (await json('runs', 'show', id)).steps?.[0]?.status === 'running')
      await json('runs', 'stop', id)
      await dray('runs', 'watch', id, ...ENV)
    })
    await quiet()
    await locked(async () => {
      const { run_id: id } = await json('run', 'items', '--keys', '1,7', '--detach')
      await until(async () => (await json('runs', 'show', id)).steps?.[0]?.status === 'running')
      assert.equal((await dray('run', 'items', ...ENV, '--json')).code, 3)
    })
    await until(async () => (await called('states:StartExecution', 'everything_workflow_janitor')) > 0)
    await quiet()
  })

  it('suffice for pipelines that a person starts and stops', async () => {
    const states = new SFNClient(client())
    const stateMachineArn = machine('items_pipeline')
    await states.send(new StartExecutionCommand({ stateMachineArn, name: 'by-hand' }))
    await until(async () => (await json('runs')).runs.some(({ run_id: id }: { run_id: string }) => id === 'by-hand'))
    await json('runs', 'watch', 'by-hand')
    await locked(async () => {
      const input = JSON.stringify({ mode: { keys: ['7'] } })
      const started = await states.send(new StartExecutionCommand({ stateMachineArn, name: 'again', input }))
      await until(async () => (await json('runs', 'show', 'again')).steps?.[0]?.status === 'running')
      await states.send(new StopExecutionCommand({ executionArn: started.executionArn }))
    })
    states.destroy()
    await quiet()
  })

  it('suffice for all tables of a database, of which one cannot be loaded, and for them again as they are then', async () => {
    const tablesIn = async (database: Client, schema: string): Promise<string[]> => {
      const sql = 'select table_name from information_schema.tables where table_schema = $1 order by 1'
      return (await database.query({ text: sql, values: [schema], rowMode: 'array' })).rows.flat()
    }
    const digestOf = async (database: Client, table: string, where = 'true') => {
      const sql = `select (to_jsonb(t) - '_deleted_at')::text as row from ${table} as t where ${where}`
      const digest = `select count(*)::int, md5(string_agg(row::text, '|' order by row::text collate "C")) from (${sql}) as rows`
      return (await database.query({ text: digest, rowMode: 'array' })).rows[0] ?? []
    }
    const areEqual = async (tables: readonly string[]) => {
      for (const table of tables) {
        const there = await digestOf(lake, `raw.${table}`, '_deleted_at is null')
        assert.deepEqual([table, there], [table, await digestOf(music, table)])
      }
    }
    const before = await tablesIn(music, 'public')

    const { code, stdout, stderr } = await dray('run', 'copies', ...ENV, '--json')

    assert.equal(code, 1, `${stderr}${stdout}`)
    const recorded = await recordedSteps(JSON.parse(stdout).run_id)
    const failed = recorded.filter((step) => !step.endsWith(' success'))
    assert.deepEqual(failed.sort(), ['copied failed', 'copied/genre failed'])
    await areEqual(before.filter((table) => table !== 'genre'))

    await lake.query('drop view raw.genre')
    await music.query(`
      drop table playlist_track;
      create table label (label_id int primary key, name text);
      insert into label values (1, 'one'), (2, null);
      update artist set name = 'another' where artist_id = 1;
      delete from invoice_line where invoice_line_id = 1`)
    const again = await json('run', 'copies')

    assert.equal(again.status, 'success')
    await areEqual(await tablesIn(music, 'public'))
    assert.deepEqual(
      (await tablesIn(lake, 'raw')).filter((table) => !before.includes(table)),
      ['label'],
    )
    assert.equal((await digestOf(lake, 'raw.invoice_line', '_deleted_at is not null'))[0], 1)
    assert.ok((await digestOf(lake, 'raw.playlist_track'))[0] > 0)
  })

  it('suffice for a stopped run of all tables, and for a replica that a person starts and stops', async () => {
    const states = new SFNClient(client())
    const working = async () => {
      const stateMachineArn = machine('copied_table_pipeline')
      const running = await states.send(new ListExecutionsCommand({ stateMachineArn, statusFilter: 'RUNNING' }))
      return (running.executions ?? []).map(({ name }) => name)
    }
    const isAtWork = (id: string) => async () => (await recordedSteps(id)).includes('copied/artist running')
    await locked(async () => {
      const { run_id: id } = await json('run', 'copied', '--detach')
      await until(isAtWork(id))
      await json('runs', 'stop', id)
      await dray('runs', 'watch', id, ...ENV)
      await until(async () => (await working()).length === 0)
    }, 'raw.artist')
    await quiet()
    await locked(async () => {
      const stateMachineArn = machine('copied_pipeline')
      const started = await states.send(new StartExecutionCommand({ stateMachineArn, name: 'all-by-hand' }))
      await until(async () =>
        (await json('runs')).runs.some(({ run_id: id }: { run_id: string }) => id === 'all-by-hand'),
      )
      await until(isAtWork('all-by-hand'))
      await states.send(new StopExecutionCommand({ executionArn: started.executionArn }))
      await until(async () => (await working()).length === 0)
    }, 'raw.artist')
    await quiet()
    const { run_id: one } = await json('run', 'copied/artist')
    assert.deepEqual((await recordedSteps(one)).sort(), ['copied success', 'copied/artist success'])
    const stateMachineArn = machine('copied_table_pipeline')
    const input = JSON.stringify({ pipeline: 'copied/artist' })
    await states.send(new StartExecutionCommand({ stateMachineArn, name: 'one-by-hand', input }))
    await until(async () =>
      (await json('runs')).runs.some(({ run_id: id }: { run_id: string }) => id === 'one-by-hand'),
    )
    assert.equal((await json('runs', 'watch', 'one-by-hand')).status, 'success')
    states.destroy()
    await quiet()
  })

  it('suffice for what is called on a schedule, during a run that an event has started', async () => {
    const functions = new LambdaClient(client())
    const call = async (FunctionName: string, payload: object) => {
      const { FunctionError, Payload } = await functions.send(
        new InvokeCommand({ FunctionName, Payload: Buffer.from(JSON.stringify(payload)) }),
      )
      assert.equal(FunctionError, undefined, Buffer.from(Payload ?? []).toString())
    }
    await locked(async () => {
      const before = await called('lambda:InvokeFunction', PIPELINES)
      await put({ version: 1, id: 'two', entity: 'items', source: 'shop', keys: [7], causation: [] })
      await until(async () => (await called('lambda:InvokeFunction', PIPELINES)) > before)
      await call('Dray-dev_everything_workflow_janitor', { sweep: true })
      await call('Dray-dev_workflows_dray_versions', {})
    })
    functions.destroy()
    await quiet()
  })

  it('suffice for people who work with the databases themselves', async () => {
    await json('plan', 'items')
    await json('preview', 'items')
    await lake.query('delete from items where id in (2, 8)')
    await shop.query("update items set name = 'forbidden' where id = 9")
    assert.equal((await dray('reconcile', 'items', '--fix', ...ENV)).code, 1)
    await json('state', 'reset', 'items', '--yes')
    await json('state', 'set', 'items', '2024-01-01T00:00:00Z', '--yes')
  })

  it('suffice for tables that are looked at and changed', async () => {
    await lake.query('alter table readings add column extra integer')
    const changesOf = async (...args: string[]) => (await json('schema', ...args, 'lake.readings')).tables[0].statements

    const [planned] = await changesOf('plan')
    const [done] = await changesOf('apply', '--yes', '--allow', 'loss')

    assert.deepEqual([planned.columns, done.outcome], [['extra'], 'done'])
    assert.deepEqual(await changesOf('plan'), [])
  })

  it('never refuse a call', async () => {
    assert.deepEqual(await emulator.refused(), [])
  })

  it('are asked for by the calls that are recorded, which test/dray/aws/grants judges', async () => {
    const names = await namesOf(new CloudFormationClient(client()))
    const { workflows } = await loadProject(features)
    const deployment = readDeployment(join(emulator.folder, 'cdk.out'))
    const known = {
      names,
      pipelines: allUnitsOf(workflows).map(({ name }) => name),
      attributes: attributesOf(deployment),
    }
    const lines = recordOf(await emulator.decisions(), known)
    if (process.env.UPDATE_GRANTS === '1') writeFileSync(recordFile, `${lines.join('\n')}\n`)

    // On what a call is made, and what a janitor finds to do, is a matter of time: the templates judge it here. That a
    // role makes a call of this kind at all is not.
    const kindsIn = (calls: readonly Call[]) =>
      new Set(calls.filter(({ by }) => !by.endsWith('_janitor')).map(({ by, action }) => `${by} ${action}`))
    const [made, recorded] = [lines.map(parseCall), recordedLines().map(parseCall)]
    const again = 'Run this test with UPDATE_GRANTS=1, and test/dray/aws/grants with UPDATE_DOCS=1'
    assert.deepEqual(refusals(withImplied(made, deployment), deployment), [], again)
    assert.deepEqual(
      [kindsIn(made).difference(kindsIn(recorded)), kindsIn(recorded).difference(kindsIn(made))].map((set) => [...set]),
      [[], []],
      `${again}: it says which grant is missing.`,
    )
  })
})

/** The tables of Chinook, or a few like them where the shared data is not there. */
function musicTables(): string {
  if (withoutSharedData === false) {
    const sql = readFileSync(sharedData('chinook/postgres.sql'), 'utf8')
    return sql.slice(sql.indexOf('CREATE TABLE'))
  }
  return `create table album (album_id int primary key, title text); insert into album values (1, 'one');
          create table artist (artist_id int primary key, name text); insert into artist values (1, 'one'), (2, 'two');
          create table genre (genre_id int primary key, name text);
          create table invoice_line (invoice_line_id int primary key); insert into invoice_line values (1), (2);
          create table playlist_track (playlist_id int, track_id int, primary key (playlist_id, track_id));
          insert into playlist_track values (1, 1)`
}

/** What was named when the environment was deployed, with its placeholder. */
async function namesOf(client: CloudFormationClient): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>()
  const stacks: [name: string, id: string][] = ['', '-pipelines', '-workflows'].map((part) => ['', `Dray-dev${part}`])
  for (const [name, StackName] of stacks) {
    const { StackResources = [] } = await client.send(new DescribeStackResourcesCommand({ StackName }))
    for (const { ResourceType, LogicalResourceId = '', PhysicalResourceId = '' } of StackResources) {
      if (ResourceType === 'AWS::CloudFormation::Stack') stacks.push([LogicalResourceId, PhysicalResourceId])
      // The id of a queue is its URL.
      const own = PhysicalResourceId.slice(PhysicalResourceId.lastIndexOf('/') + 1)
      if (NAMED_LATER.includes(ResourceType ?? '')) names.set(own, placeholderName(name, LogicalResourceId))
    }
  }
  client.destroy()
  return names
}

const NAMED_LATER = ['AWS::S3::Bucket', 'AWS::DynamoDB::GlobalTable', 'AWS::SQS::Queue']
