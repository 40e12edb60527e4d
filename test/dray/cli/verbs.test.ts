import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { openStateIn } from 'dray-infra/internal/local/state.ts'
import { fixtureFolder } from '#test/fixture-project.ts'
import { dray as drayIn, startDray, temporaryHome } from './dray-process.ts'

/* The verbs around a run, as processes, over three files of SQLite. */

describe('the verbs around a run', () => {
  const { home, remove } = temporaryHome()
  const file = (name: string) => join(home, `${name}.db`)
  const urls = Object.fromEntries(
    ['shop', 'till', 'lake'].map((name) => [`${name.toUpperCase()}_DATABASE_URL`, `sqlite:${file(name)}`]),
  )
  let state: TableStateStore
  let till: DatabaseSync
  let shop: DatabaseSync
  let lake: DatabaseSync

  const dray = (...args: string[]) => drayIn(home, args, urls)

  /** The document that a verb prints with --json; it has to succeed. */
  async function json(...args: string[]) {
    const { code, stdout, stderr } = await dray(...args, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }

  async function refused(message: RegExp, expected: number, ...args: string[]) {
    const { code, stdout, stderr } = await dray(...args)
    assert.match(stderr, message)
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
    assert.deepEqual([code, stdout], [expected, ''])
  }

  const lastRun = async () => (await state.pipeline('orders'))?.lastRun ?? null
  const facts = () => lake.prepare('select count(*) as rows from order_fact').get()?.rows

  before(async () => {
    state = await openStateIn(home)
    till = new DatabaseSync(file('till'))
    shop = new DatabaseSync(file('shop'))
    shop.exec(
      'create table customers (id integer primary key, name text, email text, phone text, address text, created_at text)',
    )
    shop.exec("insert into customers (id, name) values (1, 'Ann'), (2, '')")
    till.exec(
      'create table orders (id integer primary key, customer_id integer, order_date text, total_amount text, status text, last_updated text)',
    )
    const insert = till.prepare("insert into orders values (?, 1, '2024-01-01 00:00:00', '1.00', 'new', ?)")
    for (let id = 1; id <= 10; id++) insert.run(id, `2024-01-${String(id).padStart(2, '0')} 12:00:00`)
    const { code, stderr } = await dray('run', 'nightly')
    assert.equal(code, 0, stderr)
    lake = new DatabaseSync(file('lake'))
  })
  after(async () => {
    for (const database of [till, shop, lake]) database.close()
    state.close()
    remove()
  })

  it('start no process and import no client of AWS, where every database is a file', async () => {
    const record = join(home, 'imported')
    const hook = `
      import { appendFileSync } from 'node:fs'
      import { registerHooks } from 'node:module'
      registerHooks({ load: (url, context, next) => (appendFileSync(${JSON.stringify(record)}, url + '\\n'), next(url, context)) })`
    const environment = { ...urls, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}` }

    const codes = []
    for (const verb of [['run', 'nightly'], ['runs'], ['state', 'show', 'orders']]) {
      codes.push((await drayIn(home, verb, environment)).code)
    }

    assert.deepEqual(codes, [0, 0, 0])
    const imported = readFileSync(record, 'utf8').split('\n')
    assert.ok(imported.some((url) => url.endsWith('/local/worker.ts')))
    assert.deepEqual(
      imported.filter((url) => /@aws-sdk|@smithy|dynalite|services-connection/.test(url)),
      [],
    )
    assert.deepEqual(
      readdirSync(home).filter((name) => /services|dynamodb|postgres/.test(name)),
      [],
    )
  })

  it('plan shows the window, the rows and the partitions of the next run, and takes no lease', async () => {
    const before = await state.pipeline('orders')

    const next = await json('plan', 'orders')
    const backfill = await json('plan', 'orders', '--from', '2024-01-02', '--to', '2024-01-04')

    const iso = `${before?.lastRun?.replace(' ', 'T')}Z`
    assert.deepEqual([next.rows, next.last_run, next.window.from], [0, iso, iso])
    assert.deepEqual([backfill.rows, backfill.partitions.length, backfill.moves_last_run], [2, 2, false])
    assert.deepEqual([backfill.on_aws.partitions_at_once, backfill.on_aws.state_transitions], [1, 20])
    assert.match((await dray('plan', 'orders')).stdout, /^On AWS: about 12\.0 s with 1 partition at once/m)
    assert.deepEqual(await state.pipeline('orders'), before)
  })

  it('preview shows source rows beside transformed rows and writes nothing', async () => {
    const before = facts()

    const { rows, notes } = await json('preview', 'customers', '--limit', '2')
    const { stdout } = await dray('preview', 'orders', '--keys', '3')

    assert.deepEqual(
      rows.map((row: { outcome: string; target: unknown; errors: { code: string }[] }) => [
        row.outcome,
        row.errors[0]?.code,
      ]),
      [
        ['loaded', undefined],
        ['quarantined', 'missing'],
      ],
    )
    assert.deepEqual(notes, [])
    assert.match(stdout, /last_updated +2024-01-03 12:00:00/)
    assert.match(stdout, /1 loaded, 0 filtered, 0 deleted, 0 quarantined\. Nothing was written\./)
    assert.equal(facts(), before)
  })

  it('preview keeps rows for a test, masked, and writes them anew', async () => {
    const kept = join(fixtureFolder, 'functions/customers/customers.fixture.json')
    try {
      const { fixture } = await json('preview', 'customers', '--save-fixture')
      const { stdout } = await dray('preview', 'customers', '--save-fixture', '--limit', '1')
      const { rows } = JSON.parse(readFileSync(kept, 'utf8'))

      assert.deepEqual(fixture, { file: 'functions/customers/customers.fixture.json', rows: 2, masked: true })
      assert.match(
        stdout,
        /1 row was saved in functions\/customers\/customers\.fixture\.json, with their values masked,.*\.fixture\('\.\/customers/,
      )
      assert.deepEqual(
        rows.map(({ source, outcome }: { source: { name: string }; outcome: string }) => [source.name, outcome]),
        [['Xxx', 'loaded']],
      )
    } finally {
      rmSync(kept)
    }
  })

  it('preview keeps the values where it is told to, and no file that is something else', async () => {
    const kept = join(home, 'kept.json')
    await json('preview', 'customers', '--save-fixture', kept, '--no-mask')

    assert.match(readFileSync(kept, 'utf8'), /"name": "Ann"/)
    await refused(
      /kept\.json is a fixture of customers; delete it, or name another file/,
      2,
      'preview',
      'orders',
      '--save-fixture',
      kept,
    )
  })

  it('backfill loads a range again and leaves last_run alone', async () => {
    const before = await lastRun()
    lake.exec('delete from order_fact')

    const report = await json('backfill', 'orders', '--from', '2024-01-03', '--to', '2024-01-06', '--chunk', '1d')

    assert.deepEqual([report.steps[0].read, facts(), await lastRun()], [3, 3, before])
  })

  it('run --keys loads the rows of these keys, and says in the run which are missing', async () => {
    const before = await lastRun()
    lake.exec('delete from order_fact')

    const report = await json('run', 'orders', '--keys', '2, 4,77')
    const { stdout } = await dray('runs', 'show', report.run_id)

    assert.deepEqual([report.steps[0].inserted, facts(), await lastRun()], [2, 2, before])
    assert.deepEqual(report.steps[0].notes, ['1 of 3 keys have no row in till.orders'])
    assert.match(stdout, /note: orders: 1 of 3 keys have no row in till\.orders/)
  })

  it('run of one pipeline is a run of its workflow that leaves the other steps out', async () => {
    const report = await json('run', 'orders')
    const { stdout } = await dray('runs')
    const { only, workflow: name, steps } = await json('runs', 'show', report.run_id)

    const daily = 'nightly'
    assert.deepEqual([report.workflow, report.only, report.status], [daily, ['orders'], 'success'])
    assert.deepEqual([report.steps.length, steps.length, name, only], [1, 1, daily, ['orders']])
    assert.match(stdout, new RegExp(`${report.run_id} +orders of ${daily} +success`))
    await refused(/no workflow or pipeline orders in a workflow weekly/, 2, 'run', 'orders', '--workflow', 'weekly')
  })

  it('run --only runs some steps of a workflow', async () => {
    const { code, stdout, stderr } = await dray('run', 'nightly', '--only', 'data-mart,orders')
    assert.equal(code, 0, stderr)

    const { runs } = await json('runs', '--limit', '1')
    const { steps } = await json('runs', 'show', runs[0].run_id)

    assert.deepEqual(runs[0].only, ['data-mart', 'orders'])
    assert.deepEqual(steps.map((step: { step: string }) => step.step).toSorted(), ['data-mart', 'orders'])
    assert.match(stdout, /npx dray run nightly --only data-mart,orders` again/)
  })

  it('resume runs only the steps that have not succeeded', async () => {
    lake.exec('drop table customer_sales; create table customer_sales (wrong integer)')
    const failed = await drayIn(home, ['run', 'nightly', '--json', '--progress', 'none'], urls)
    assert.equal(failed.code, 1)
    const { run_id: id } = JSON.parse(failed.stdout)
    lake.exec('drop table customer_sales')

    const report = await json('resume', id)

    const steps = report.steps.map(({ step, status, notes }: { step: string; status: string; notes: string[] }) => [
      step,
      status,
      notes[0] ?? null,
    ])
    const done = `run ${id} has done this step already, so nothing was done`
    assert.deepEqual(steps, [
      ['customers', 'success', done],
      ['orders', 'success', done],
      ['data-mart', 'success', null],
    ])
  })

  it('a run that was refused is resumed by the run that held the lease', async () => {
    lake.exec('begin immediate')
    const holder = startDray(home, ['run', 'orders', '--progress', 'log'], urls)
    while ((await state.pipeline('orders'))?.leaseOwner === null) await delay(20)

    const second = await dray('run', 'orders', '--progress', 'none')
    lake.exec('rollback')
    const first = await holder.ended

    assert.equal(second.code, 3, second.stderr)
    assert.match(second.stdout, /orders refused: .*is held by .*asked for a follow-up/)
    assert.equal(first.code, 0, first.stderr)
    const [followUp, refusedRun] = await state.runs({ limit: 2 })
    assert.match(first.stderr, new RegExp(`The run ${refusedRun?.id} of orders was refused meanwhile`))
    assert.deepEqual(
      [followUp?.trigger, followUp?.status, followUp?.mode],
      ['follow-up', 'success', JSON.stringify({ resume: refusedRun?.id })],
    )
    assert.equal((await state.pipeline('orders'))?.pending, false)
  })

  it('runs watch shows a run of another process, runs stop ends it, and runs logs has what its handlers logged', async () => {
    lake.exec('begin immediate')
    const holder = startDray(home, ['run', 'orders', '--keys', '6', '--progress', 'none'], urls)
    while ((await state.pipeline('orders'))?.leaseOwner === null) await delay(20)
    const id = (await state.pipeline('orders'))?.leaseOwner as string
    const watching = dray('runs', 'watch', id, '--progress', 'none')

    const { stopped } = await json('runs', 'stop', id)
    const ended = await holder.ended
    const watched = await watching
    lake.exec('rollback')

    assert.deepEqual([stopped, ended.code, watched.code], [true, 130, 1])
    assert.match(watched.stdout, new RegExp(`The run was interrupted.*\`npx dray resume ${id}\``, 's'))
    const { entries } = await json('runs', 'logs', id)
    assert.deepEqual([entries[0].run, entries[0].step, entries[0].message], [id, 'plan', 'started'])
    assert.match((await dray('runs', 'logs', id)).stdout, /^[\d:.]{12} INFO +orders plan: started/m)
    await refused(/has ended, so there is nothing to stop/, 2, 'runs', 'stop', id)
    await refused(/There is no log of a run nowhere/, 2, 'runs', 'logs', 'nowhere')
    await refused(/lives in this process, so it cannot be detached/, 2, 'run', 'orders', '--detach')
  })

  it('resume takes up a run whose process was killed', async () => {
    lake.exec('begin immediate')
    const { child, ended } = startDray(home, ['run', 'orders', '--keys', '5', '--progress', 'none'], urls)
    while ((await state.pipeline('orders'))?.leaseOwner === null) await delay(20)
    const killed = (await state.pipeline('orders'))?.leaseOwner as string
    child.kill('SIGKILL')
    await ended
    lake.exec('rollback')

    const report = await json('resume', killed)

    assert.deepEqual([report.only, report.status, report.steps[0].read], [['orders'], 'success', 1])
    assert.equal((await state.run(killed))?.run.status, 'failed')
    assert.equal((await state.pipeline('orders'))?.leaseOwner, null)
  })

  it('state set and reset change last_run once they are confirmed, and not while a run has the lease', async () => {
    const before = await lastRun()
    await refused(
      /what changed since 2024-01-05 00:00:00\.000000 would be read once more.*--yes/,
      2,
      'state',
      'set',
      'orders',
      '2024-01-05',
    )
    assert.equal(await lastRun(), before)

    const set = await json('state', 'set', 'orders', '2024-01-05T02:00:00+02:00', '--yes')
    const { rows } = await json('plan', 'orders')
    const reset = await json('state', 'reset', 'orders', '--yes')

    assert.deepEqual(
      [set.last_run, rows, reset.last_run, await lastRun()],
      ['2024-01-05T00:00:00.000000Z', 6, null, null],
    )
    await state.acquireLease('orders', 'other-run', Date.now(), Date.now() + 60_000)
    await refused(/other-run/, 3, 'state', 'reset', 'orders', '--yes')
    await state.releaseLease('orders', 'other-run')
  })

  it('quarantine list, show, replay and discard', async () => {
    const [first] = (await json('quarantine', 'list', 'customers')).quarantine
    assert.deepEqual([first.rows, first.open, first.reasons], [1, 1, { 'name missing': 1 }])
    const { rows } = await json('quarantine', 'show', first.run_id)
    assert.deepEqual([rows[0].row.id, rows[0].state, rows[0].stage], ['2', 'open', 'transform'])
    shop.exec("update customers set name = 'Bob' where id = 2")

    const replayed = await json('quarantine', 'replay', 'customers', '--id', rows[0].id)

    assert.deepEqual([replayed.steps[0].read, replayed.steps[0].inserted], [1, 1])
    assert.equal(lake.prepare('select full_name from customer_dim where id = 2').get()?.full_name, 'Bob')
    const shown = await json('quarantine', 'show', rows[0].id)
    assert.deepEqual([shown.rows[0].state, shown.rows[0].record.by], ['replayed', replayed.run_id])
    await refused(/has no open row/, 2, 'quarantine', 'replay', 'customers', '--progress', 'none', '--id', rows[0].id)
  })

  it('quarantine discard gives rows up once it is confirmed', async () => {
    shop.exec("insert into customers (id, name) values (3, '')")
    await json('run', 'customers')
    await refused(/would be given up.*--yes/, 2, 'quarantine', 'discard', 'customers')

    const { discarded } = await json('quarantine', 'discard', 'customers', '--yes', '--reason', 'a test')

    const { rows } = await json('quarantine', 'show', 'customers', '--all')
    const found = rows.find(({ id }: { id: string }) => id === discarded[0])
    assert.deepEqual([found.state, found.record.reason], ['discarded', 'a test'])
  })

  it('resume ends in one line for a run that has succeeded, that runs, and that there is not', async () => {
    const [latest] = await state.runs({ limit: 1, status: 'success' })
    const runner = `local:${hostname()}:${process.pid}`
    await state.startRun({ id: 'running', workflow: 'orders', startTime: Date.now(), runner, trigger: 'manual' })

    await refused(
      /has succeeded, so there is nothing to resume/,
      2,
      'resume',
      '--progress',
      'none',
      latest?.id as string,
    )
    await refused(/is still at work/, 2, 'resume', '--progress', 'none', 'running')
    await refused(/There is no run nowhere/, 2, 'resume', '--progress', 'none', 'nowhere')
  })
})

describe('the verbs around a run refuse in one line, with exit code 2,', { concurrency: 2 }, () => {
  const { home, remove } = temporaryHome()
  after(remove)

  for (const [what, message, ...args] of [
    ['an unknown pipeline', /no pipeline oders.*customers, orders/, 'plan', 'oders'],
    [
      'a backfill of a full load',
      /dray run customers/,
      'backfill',
      'customers',
      '--from',
      '2024-01-01',
      '--to',
      '2024-02-01',
    ],
    [
      'a backfill of nothing',
      /--from 2024-02-01 is not before/,
      'backfill',
      'orders',
      '--from',
      '2024-02-01',
      '--to',
      '2024-01-01',
    ],
    [
      'a time that is none',
      /--from "soon" is not a point in time/,
      'backfill',
      'orders',
      '--from',
      'soon',
      '--to',
      '2024-01-01',
    ],
    [
      'a chunk that is none',
      /"weekly" is not a length of time/,
      'backfill',
      'orders',
      '--from',
      '2024-01-01',
      '--to',
      '2024-02-01',
      '--chunk',
      'weekly',
    ],
    ['keys of a workflow', /keys of one pipeline.*orders/, 'run', 'nightly', '--keys', '1'],
    ['no keys', /--keys , gives no keys/, 'run', 'orders', '--keys', ','],
    [
      'a last_run of a full load',
      /customers reads its whole source/,
      'state',
      'set',
      'customers',
      '2024-01-01',
      '--yes',
    ],
    [
      'a time that is none as last_run',
      /last_run "soon" is not a point in time/,
      'state',
      'set',
      'orders',
      'soon',
      '--yes',
    ],
  ] as const) {
    it(what, async () => {
      const { code, stdout, stderr } = await drayIn(home, args)

      assert.match(stderr, message)
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
      assert.deepEqual([code, stdout], [2, ''])
    })
  }
})
