import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { database, replicate } from 'dray'
import { closeDatabases } from 'dray/internal/active-record/database.ts'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import { makeBundle } from 'dray-infra/internal/bundle/make-bundle.ts'
import { startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import { openServices } from 'dray-infra/internal/testing/test-services.ts'
import { Client } from 'pg'
import { runReplica } from '#test/pipeline/replica-run.ts'
import { createStateTable } from '#test/services/create-state-table.ts'
import { ordersProject } from '#test/services/orders-project.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { writeProject } from '#test/services/small-project.ts'
import { countStatements, type StatementCounter } from '#test/services/statement-counter.ts'
import { startFaultyProxy } from '#test/state/faulty-proxy.ts'

/*
 * What runs ask for, counted where it arrives: between the code and PostgreSQL, between the code and DynamoDB, by
 * Node's loader and by the operating system. Bounds are a little above what was counted; none is of time.
 */

const run = promisify(execFile)
const FEW = 2
const MANY = 6

describe('the work of a small pipeline', () => {
  let postgres: TestPostgres
  let folder: string
  const counters: StatementCounter[] = []
  const stops: (() => unknown)[] = []
  /** Per table: what more tables have added, divided by their number. */
  const counted: Record<'first' | 'again', { source: number; target: number; connections: number; state: number }> = {
    first: { source: 0, target: 0, connections: 0, state: 0 },
    again: { source: 0, target: 0, connections: 0, state: 0 },
  }

  before(async () => {
    postgres = await startPostgres()
    folder = await mkdtemp(join(tmpdir(), 'dray-counted-'))
    const dynamo = await startDynamoDb()
    const client = createStateClient({ endpoint: dynamo.endpoint })
    await createStateTable(client, 'dray')
    const proxy = await startFaultyProxy(dynamo.endpoint)
    const state = createStateStore({ tableName: 'dray', endpoint: proxy.endpoint })
    const services = { ...(await openServices(folder)), state }
    stops.push(
      () => services.close(),
      () => state.close(),
      () => client.destroy(),
      () => proxy.stop(),
      () => dynamo.stop(),
    )
    for (const [tables, sign] of [
      [FEW, -1],
      [MANY, 1],
    ] as const) {
      const [source, target] = [
        await countStatements(await filled(tables)),
        await countStatements(await postgres.createDatabase()),
      ]
      counters.push(source, target)
      const [from, into] = [`counted-from-${tables}`, `counted-into-${tables}`]
      process.env[`COUNTED_FROM_${tables}_DATABASE_URL`] = source.url
      process.env[`COUNTED_INTO_${tables}_DATABASE_URL`] = target.url
      const replica = replicate(`raw-${tables}`, { from: database(from), into: database(into), cursor: 'updated_at' })
      for (const time of ['first', 'again'] as const) {
        const { status, error } = await runReplica(replica, `${time}-${tables}`, services)
        assert.equal(status, 'SUCCEEDED', error ?? '')
        const [read, written] = [source.take(), target.take()]
        const share = sign / (MANY - FEW)
        const sums = counted[time]
        sums.source += read.statements * share
        sums.target += written.statements * share
        sums.connections += (read.connections + written.connections) * share
        sums.state += proxy.seen.splice(0).length * share
      }
    }
  })

  after(async () => {
    await closeDatabases()
    for (const stop of stops) await stop()
    for (const counter of counters) await counter.stop()
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  })

  /** A database of tables of ten rows. */
  async function filled(tables: number): Promise<string> {
    const url = await postgres.createDatabase()
    const client = new Client({ connectionString: url })
    await client.connect()
    for (let table = 1; table <= tables; table++) {
      await client.query(
        `create table t_${table} (id bigint primary key, name varchar(50), updated_at timestamptz not null);
         create index on t_${table} (updated_at);
         insert into t_${table} select i, 'name ' || i, '2025-01-01'::timestamptz + i * interval '1 second' from generate_series(1, 10) i`,
      )
    }
    await client.end()
    return url
  }

  it('sends few statements the first time, and fewer where nothing is new', (t) => {
    const { first, again } = counted
    t.diagnostic(JSON.stringify(counted))
    assert.ok(first.source <= 18, `${first.source} statements to the source`)
    assert.ok(first.target <= 45, `${first.target} statements to the target`)
    assert.ok(again.source <= 14, `${again.source} statements to the source where nothing is new`)
    assert.ok(again.target <= 22, `${again.target} statements to the target where nothing is new`)
  })

  it('opens no connection', () => {
    assert.deepEqual([counted.first.connections, counted.again.connections], [0, 0])
  })

  it('makes 7 requests to the state, 2 for each partition, and 1 where the target has no table yet', () => {
    assert.ok(counted.again.state <= 7, `${counted.again.state} requests without a partition`)
    assert.ok(counted.first.state <= 10, `${counted.first.state} requests with one partition`)
  })
})

describe('the work of a command', () => {
  let folder: string
  let project: ReturnType<typeof writeProject>
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-counted-'))
    project = writeProject(ordersProject())
    await makeBundle()
  })
  after(async () => {
    project.remove()
    await rm(folder, { recursive: true, force: true })
  })

  it('loads some 65 modules for its help, and no file of a project', async (t) => {
    const [recorder, list] = [join(folder, 'recorder.mjs'), join(folder, 'loaded')]
    await writeFile(
      recorder,
      `import { appendFileSync } from 'node:fs'
       import { registerHooks } from 'node:module'
       registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(list)}, url + '\\n'); return next(url, context) } })`,
    )

    await run(process.execPath, [`--import=${pathToFileURL(recorder)}`, join(packageFolder, 'cli/dray.ts'), '--help'])

    const loaded = (await readFile(list, 'utf8')).trim().split('\n')
    t.diagnostic(`${loaded.length} modules`)
    assert.ok(loaded.length <= 80, `${loaded.length} modules`)
    assert.deepEqual(
      loaded.filter((url) => /\/(?:functions|infra\/project|shared\/models)/.test(url)),
      [],
    )
  })

  it('needs hardly more memory for four times as many rows', async (t) => {
    const [few, many] = [await megabytesOf(100_000), await megabytesOf(400_000)]

    t.diagnostic(`${few} MB, ${many} MB`)
    assert.ok(many <= few + 60, `${few} MB for 100,000 rows, ${many} MB for 400,000`)
  })

  /** The most that a run of so many rows had resident, by the operating system; SQLite into SQLite. */
  async function megabytesOf(rows: number): Promise<number> {
    const home = join(folder, `home-${rows}`)
    await mkdir(home, { mode: 0o700 })
    const till = new DatabaseSync(join(home, 'till.db'))
    till.exec('create table orders (id integer primary key, name text)')
    till.exec(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows}) insert into orders select i, 'order number ' || i || ' of somebody who lives somewhere' from n`,
    )
    till.close()
    const [hook, said] = [join(home, 'memory.mjs'), join(home, 'memory')]
    const own = `import { writeFileSync } from 'node:fs'\nprocess.on('exit', () => writeFileSync(${JSON.stringify(said)}, String(process.resourceUsage().maxRSS)))`
    await writeFile(hook, own)
    const { stdout } = await run(
      process.execPath,
      [`--import=${pathToFileURL(hook)}`, join(packageFolder, 'cli/dray.ts'), 'run', '--json', '--progress', 'none'],
      { cwd: project.folder, env: { ...process.env, DRAY_HOME: home } },
    )
    const [step] = (JSON.parse(stdout) as { steps: { inserted: number }[] }).steps
    assert.equal(step?.inserted, rows)
    return Math.round(Number(await readFile(said, 'utf8')) / 1024)
  }
})
