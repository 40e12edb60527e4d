import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { openStateIn } from 'dray-infra/internal/local/state.ts'
import { type ReplicaProject, replicaProject } from './replica-project.ts'

interface Check {
  readonly name: string
  readonly status: string
}

interface Named {
  readonly step: string
  readonly status: string
  readonly read: number
}

const QUIET = ['--progress', 'none']

describe('the command, on a replica', () => {
  let project: ReplicaProject
  const run = (...args: readonly string[]) => project.run(...args)
  const json = (...args: readonly string[]) => project.json(...args)

  before(async () => {
    project = await replicaProject()
  })
  after(() => project.remove())

  it('plans its tables: rows, keys, how each is read, why, and written, and those that are refused', async () => {
    const { code, document } = await json('plan', 'shop-raw')

    assert.equal(code, 0)
    const tables = Object.fromEntries(document.tables.map((table: { table: string }) => [table.table, table]))
    assert.deepEqual(Object.keys(tables), ['lines', 'genres', 'log', 'orders', 'wide'])
    const { orders, lines, log, wide } = tables
    assert.deepEqual(
      [lines, orders, log].map((table) => [table.rows_to_read, table.key, table.cursor, table.load, table.is_new]),
      [
        [3, ['order_id', 'place'], null, 'upsert', true],
        [2, ['id'], 'updated_at', 'upsert', true],
        [2, [], null, 'replace', true],
      ],
    )
    assert.equal(lines.why, 'it has no column updated_at')
    assert.match(wide.refused, /n of lake\.raw_wide is INTEGER, which does not hold its values/)
    assert.deepEqual(document.totals, { tables: 5, refused: 1, new: 4, rows: 10, bytes: 0, rows_to_read: 9 })
    assert.ok(document.on_aws.us_dollars > 0)
  })

  it('says the same to a person', async () => {
    const { stdout } = await run('plan', 'shop-raw')

    assert.match(stdout, /^shop-raw: 4 tables of shop into lake, about 9 rows to read\.$/m)
    assert.match(stdout, /^refused: shop-raw\/wide: the column n of shop\.wide is varchar\(2000\)/m)
    assert.match(stdout, /^lines +3 .*order_id, place +upsert raw_lines, new .*all rows: it has no column updated_at$/m)
    assert.match(stdout, /^orders +2 .*all rows, then what has changed by updated_at$/m)
  })

  it('doctor names the tables that are refused', async () => {
    const { code, document } = await json('doctor')

    const checks = document.sections.find(({ subject }: { subject: string }) => subject === 'replica shop-raw').checks
    assert.equal(code, 2)
    assert.deepEqual(
      checks.map(({ check, verdict }: Record<string, string>) => [check, verdict]),
      [
        ['tables', 'ok'],
        ['table', 'broken'],
      ],
    )
    assert.match(checks[1].said, /shop-raw\/wide/)
  })

  it('runs all tables, reports the sums, and lines of those that are worth one', async () => {
    const { code, stdout } = await run('run', 'nightly', ...QUIET)

    assert.equal(code, 1)
    assert.match(stdout, /^shop-raw +failed +9 +9 /m)
    assert.match(stdout, /^shop-raw\/wide +failed +0 /m)
    assert.match(stdout, /^ {2}shop-raw failed: 1 of 5 tables did not succeed, the others have landed$/m)
    assert.match(stdout, /^ {2}shop-raw\/wide failed: Terminal: .*raw_wide is INTEGER/m)
    assert.match(stdout, /shop-raw has 1 more table: `npx dray runs show \S+ --json` has all of them/)
    assert.match(stdout, /Next: repair the cause, then `npx dray resume /)
    assert.deepEqual(project.lake('select * from raw_genres order by id'), [
      { id: 1, name: 'Rock' },
      { id: 2, name: 'Jazz' },
    ])
  })

  it('runs some of its tables, and all of them stand in the document', async () => {
    const { code, document } = await json('run', '--only', 'shop-raw/lines,shop-raw/orders', ...QUIET)

    assert.equal(code, 0)
    assert.deepEqual(
      document.tables.map(({ step, status, read }: Named) => [step, status, read]),
      [
        ['shop-raw/lines', 'success', 3],
        ['shop-raw/orders', 'success', 0],
      ],
    )
    assert.deepEqual(
      document.steps.map(({ step, read }: Named) => [step, read]),
      [['shop-raw', 3]],
    )
    const { stdout } = await run('runs', '--limit', '1')
    assert.match(stdout, /shop-raw\/lines, shop-raw\/orders of nightly +success/)
  })

  it('asks the checks of all of its tables, of one, and of a copy that is not what it has to be', async () => {
    project.lake('update raw_genres set name = null where id = 2')

    const all = await json('check', 'shop-raw')
    const one = await json('check', 'shop-raw/genres')
    project.lake("update raw_genres set name = 'Jazz' where id = 2")

    const found = all.document.steps.map(({ step, checks }: { step: string; checks: Check[] }) => [
      step,
      checks.map((check) => `${check.name} ${check.status}`).join(),
    ])
    const genres = ['shop-raw/genres', 'rowCount passed,notNull(name) warned']
    assert.deepEqual([all.code, found.length], [1, 5])
    assert.deepEqual(
      found.find(([name]: string[]) => name === 'shop-raw/genres'),
      genres,
    )
    assert.deepEqual(
      found.find(([name]: string[]) => name === 'shop-raw/wide'),
      ['shop-raw/wide', 'all checks not run'],
    )
    assert.deepEqual([one.code, one.document.steps[0].checks[1].keys], [0, [{ id: '2' }]])
  })

  it('refuses a table that it does not have before the run starts', async () => {
    const { code, stderr } = await run('run', 'shop-raw/nope', ...QUIET)

    assert.equal(code, 2)
    assert.match(stderr, /shop-raw\/nope is no table that shop-raw takes over, so nothing was done/)
  })

  it('resumes a run of some tables with these alone', async () => {
    const failed = await json('run', '--only', 'shop-raw/wide,shop-raw/genres', ...QUIET)
    project.lake('drop table raw_wide;')

    const { code, document } = await json('resume', failed.document.run_id, ...QUIET)

    assert.deepEqual([failed.code, code], [1, 0])
    assert.deepEqual(
      document.tables.map(({ step, read }: Named) => [step, read]),
      [
        ['shop-raw/genres', 0],
        ['shop-raw/wide', 1],
      ],
    )
  })

  it('shows, sets and resets last_run of a table, and resets all of them', async () => {
    const shown = await json('state', 'show', 'shop-raw')
    const moved = await json('state', 'set', 'shop-raw/orders', '2026-01-01T12:00:00Z', '--yes')
    const unsaid = await run('state', 'reset', 'shop-raw')
    const reset = await json('state', 'reset', 'shop-raw', '--yes')

    const names = shown.document.pipelines.map(({ pipeline }: { pipeline: string }) => pipeline)
    assert.deepEqual(names, [
      'shop-raw',
      'shop-raw/genres',
      'shop-raw/lines',
      'shop-raw/log',
      'shop-raw/orders',
      'shop-raw/wide',
    ])
    assert.equal(moved.document.last_run, '2026-01-01T12:00:00.000000Z')
    assert.match(unsaid.stderr, /last_run of 1 table of shop-raw would be forgotten/)
    assert.deepEqual(reset.document, { version: 1, replica: 'shop-raw', reset: ['shop-raw/orders'] })
  })

  it('backfills and previews a table, and loads single keys of it', async () => {
    const backfill = await json('backfill', 'shop-raw/orders', '--from', '2026-01-02', '--to', '2026-01-03', ...QUIET)
    const keys = await json('run', 'shop-raw/orders', '--keys', '1', ...QUIET)
    const preview = await json('preview', 'shop-raw/orders', '--limit', '1')
    const whole = await run('backfill', 'shop-raw/lines', '--from', '2026-01-02', '--to', '2026-01-03', ...QUIET)

    assert.deepEqual([backfill.document.tables[0].read, keys.document.tables[0].read], [1, 1])
    assert.deepEqual(preview.document.rows[0].target, { id: '1', total: '10', updated_at: '2026-01-01 10:00:00' })
    assert.match(whole.stderr, /shop-raw\/lines reads its whole source in each run/)
  })

  it('says of verbs that are about one table to name it', async () => {
    for (const args of [
      ['preview', 'shop-raw'],
      ['backfill', 'shop-raw', '--from', '2026-01-02', '--to', '2026-01-03'],
      ['state', 'set', 'shop-raw', '2026-01-02T00:00:00Z'],
      ['plan', 'shop-raw', '--keys', '1'],
    ]) {
      const { code, stderr } = await run(...args)

      assert.equal(code, 2)
      assert.match(stderr, /shop-raw is a replica of many tables, .*name it, as shop-raw\/<table>/)
    }
  })

  it('compares all tables, mends them, and counts those without a key', async () => {
    project.lake(
      'delete from raw_genres where id = 2; update raw_lines set amount = 6 where place = 2; delete from raw_log;',
    )

    const found = await json('reconcile', 'shop-raw')
    const mended = await json('reconcile', 'shop-raw', '--fix')
    await run('run', 'shop-raw/log', ...QUIET)
    const { code, stdout } = await run('reconcile', 'shop-raw')

    const { missing, extra, different, equal } = found.document.totals
    assert.deepEqual([found.code, missing, extra, different, equal], [1, 1, 0, 1, 2])
    const log = found.document.tables.find(({ pipeline }: { pipeline: string }) => pipeline === 'shop-raw/log')
    assert.deepEqual(log.counted, { source: 2, target: 0 })
    assert.equal(mended.document.totals.equal, 4)
    assert.equal(code, 0)
    assert.match(stdout, /^shop-raw: 5 tables, .*; 5 of them equal\.$/m)
  })

  it('lists, replays and discards quarantined rows of all tables', async () => {
    const refusing = (table: string, column: string) =>
      `create trigger most_of_${table} before insert on raw_${table} when new.${column} > 100 begin select raise(abort, 'too much'); end;`
    project.lake(refusing('lines', 'amount') + refusing('orders', 'total'))
    project.shop(
      "insert into lines values (3, 1, 999); insert into orders values (3, 999, datetime('now', '-3 seconds'));",
    )
    await run('run', 'shop-raw', ...QUIET)

    const listed = await json('quarantine', 'list', 'shop-raw')
    project.lake('drop trigger most_of_lines;')
    const replayed = await json('quarantine', 'replay', 'shop-raw', ...QUIET)
    const discarded = await json('quarantine', 'discard', 'shop-raw', '--yes')
    project.lake('drop trigger most_of_orders;')

    assert.deepEqual(
      listed.document.quarantine.map(({ pipeline, open }: { pipeline: string; open: number }) => [pipeline, open]),
      [
        ['shop-raw/lines', 1],
        ['shop-raw/orders', 1],
      ],
    )
    assert.deepEqual(
      replayed.document.tables.map(({ step }: Named) => step),
      ['shop-raw/lines', 'shop-raw/orders'],
    )
    assert.deepEqual(project.lake('select amount from raw_lines where order_id = 3'), [{ amount: 999 }])
    assert.equal(discarded.document.discarded.length, 1)
  })

  it('follows up what was refused meanwhile, a run of all tables and one of a single table', async (t) => {
    const state = await openStateIn(join(project.folder, '.dray'))
    const lake = new DatabaseSync(join(project.folder, 'lake.db'))
    const isHeld = async (name: string) => (await state.pipeline(name))?.leaseOwner !== null
    t.after(async () => {
      lake.close()
      state.close()
    })
    lake.exec('begin immediate')
    const holder = run('run', 'shop-raw', ...QUIET)
    while (!(await isHeld('shop-raw/lines'))) await delay(20)

    const all = await run('run', 'shop-raw', ...QUIET)
    const one = await run('run', 'shop-raw/lines', ...QUIET)
    lake.exec('rollback')
    const { code, stderr } = await holder

    assert.deepEqual([all.code, one.code, code], [3, 3, 0], all.stdout + one.stdout + stderr)
    assert.match(stderr, /of shop-raw was refused meanwhile, since this one held shop-raw; it resumes now/)
    assert.match(
      stderr,
      /of shop-raw\/lines was refused meanwhile, since this one held shop-raw\/lines; it resumes now/,
    )
    const runs = await state.runs({ limit: 2 })
    assert.deepEqual(
      runs.map(({ trigger, status }) => [trigger, status]),
      [
        ['follow-up', 'success'],
        ['follow-up', 'success'],
      ],
    )
    assert.deepEqual(runs.map(({ tables = null }) => tables).filter(Boolean), [['shop-raw/lines']])
  })

  it('says what the next run changes in its tables by itself, and what is left', async () => {
    project.shop(
      'alter table genres add column note text; alter table wide drop column n; create table fresh (id integer primary key);',
    )

    const { document } = await json('schema', 'plan', 'shop-raw')
    const apply = await run('schema', 'apply', 'shop-raw')

    const of = (name: string) => document.tables.find(({ pipeline }: { pipeline: string }) => pipeline === name)
    assert.deepEqual(
      of('shop-raw/genres').made_by_next_run.map(({ columns }: { columns: string[] }) => columns),
      [['note']],
    )
    assert.equal(of('shop-raw/fresh').is_new, true)
    assert.match(of('shop-raw/wide').left[0], /n of shop\.wide: not at the source any more/)
    assert.equal(apply.code, 2)
    assert.match(apply.stderr, /`npx dray schema plan shop-raw` prints the statements that are left to you/)
  })
})
