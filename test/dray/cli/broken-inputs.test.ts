import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import { ORDERS_PIPELINE, ordersProject } from '#test/services/orders-project.ts'
import { writeProject } from '#test/services/small-project.ts'
import { startDray, temporaryHome } from './dray-process.ts'

const UNKNOWN_DATABASES =
  /^dray: Nothing was synthesized, since the environment test does not say where 2 databases are \(lake, till\); add .* lake: \{.*till: \{.*create-secret/

describe('what is broken is said with its place and its remedy, and nothing is done:', { concurrency: 2 }, () => {
  const { home, remove } = temporaryHome()
  const projects: { readonly folder: string; remove(): void }[] = []
  let whole: string

  before(() => {
    whole = project()
  })
  after(() => {
    for (const made of projects) made.remove()
    remove()
  })

  function project(change: (folder: string) => void = () => {}): string {
    const made = writeProject(ordersProject())
    projects.push(made)
    change(made.folder)
    return made.folder
  }

  /** The pipeline with a text of it replaced, or with more at its end. */
  function withPipeline(from: string, to: string): string {
    return project((folder) => {
      const changed = from === '' ? `${ORDERS_PIPELINE}${to}\n` : ORDERS_PIPELINE.replace(from, to)
      assert.notEqual(changed, ORDERS_PIPELINE)
      writeFileSync(join(folder, 'functions/orders/pipeline.ts'), changed)
    })
  }

  function withProject(from: string, to: string): string {
    return project((folder) => {
      const file = join(folder, 'infra/project.ts')
      const text = readFileSync(file, 'utf8')
      assert.ok(text.includes(from), from)
      writeFileSync(file, text.replace(from, to))
    })
  }

  /** The project with an environment named test. */
  function withEnvironment(settings: string): string {
    return withProject('environments: {}', `environments: { test: ${settings} }`)
  }

  /** The pipeline reads what has changed. */
  function withCursor(): string {
    const text = ORDERS_PIPELINE.replace('name: text().nullable()', 'name: text().nullable(), at: timestamp()')
      .replace('fullLoad,', 'changedSince, timestamp,')
      .replace('fullLoad(Source)', "changedSince(Source, { cursor: 'at', zone: 'UTC' })")
    return project((folder) => writeFileSync(join(folder, 'functions/orders/pipeline.ts'), text))
  }

  /** Two orders in the source, and a state that no other test shares. */
  function filledDatabases(folder: string) {
    const till = new DatabaseSync(join(folder, 'till.db'))
    till.exec(
      "create table orders (id integer primary key, name text); insert into orders values (1, 'Ann'), (2, 'Bo')",
    )
    till.close()
    return {
      DRAY_HOME: join(folder, '.dray'),
      TILL_DATABASE_URL: `sqlite:${join(folder, 'till.db')}`,
      LAKE_DATABASE_URL: `sqlite:${join(folder, 'lake.db')}`,
    }
  }

  /** One line on stderr, nothing on stdout, exit code 2. */
  async function assertSaid(
    args: readonly string[],
    message: RegExp,
    { folder = whole, ...environment }: { folder?: string } & NodeJS.ProcessEnv = {},
  ) {
    const { code, stdout, stderr } = await startDray(home, args, environment, folder).ended

    assert.match(stderr, message)
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
    assert.equal(stdout, '')
    assert.equal(code, 2, stderr)
  }

  for (const [what, from, to, message] of [
    ['a syntax error', '', 'export const x = {', /pipeline\.ts:12 cannot be loaded.*SyntaxError/],
    ['syntax that Node does not strip', '', 'enum Kind { one }', /pipeline\.ts:12 cannot.*enum is not supported/],
    ['a misspelt file', 'models/lake.ts', 'models/lak.ts', /pipeline\.ts:3 cannot.*Cannot find module .*lak\.ts/],
    ['a misspelt export', '{ Target }', '{ Targt }', /pipeline\.ts:3 cannot.*no.* export named 'Targt'/],
    ['a misspelt package', "'dray/cleaning'", "'dray-cleaning'", /pipeline\.ts:2 cannot.*package 'dray-cleaning'/],
    ['a part that a package does not have', "'dray/cleaning'", "'dray/clean'", /pipeline\.ts:2 cannot.*'\.?\/clean'/],
    ['a name that is not there', '', 'export const y = nope.x', /pipeline\.ts:12 cannot.*nope is not defined/],
  ] as const) {
    it(`${what} in a pipeline`, () =>
      assertSaid(['run', 'orders'], new RegExp(`^dray: functions/orders/${message.source}`), {
        folder: withPipeline(from, to),
      }))
  }

  it('a pipeline that is named unlike its folder', () =>
    assertSaid(
      ['run', '--progress', 'none'],
      /^dray: A workflow runs order, and there is no functions\/order\/pipeline\.ts, so nothing was done.*rename/,
      {
        folder: withPipeline("pipeline('orders'", "pipeline('order'"),
      },
    ))
  it('a Lambda that is missing', () =>
    assertSaid(
      ['run', 'orders', '--progress', 'none'],
      /^dray: functions\/orders\/load\.ts is a Lambda of this run and not there.*doctor/,
      {
        folder: project((folder) => rmSync(join(folder, 'functions/orders/load.ts'))),
      },
    ))
  it('a task where a pipeline is meant', () =>
    assertSaid(['plan', 'mart'], /^dray: mart is a task of the workflow nightly.*`npx dray run mart` runs it alone/))
  it('a key that is none of the model', () =>
    assertSaid(['run', 'orders', '--keys', 'abc'], /^dray: till\.orders: the key "abc": .*not a bigint/))
  it('a key of too many columns', () =>
    assertSaid(['run', 'orders', '--keys', '[["1","2"]]'], /^dray: till\.orders: \["1","2"\] is not a key of \(id\)/))
  it('an embedded source that nobody has filled', () =>
    assertSaid(
      ['run', 'orders', '--progress', 'none'],
      /^dray: orders reads till\.orders, and till, which is embedded here, has no such table yet.*import csv <file> --into till\.orders.*TILL_DATABASE_URL=/,
    ))
  for (const verb of ['deploy', 'diff']) {
    it(`${verb} of an environment that knows none of the databases`, () =>
      assertSaid([verb, 'test'], UNKNOWN_DATABASES, { folder: withEnvironment('{ databases: {}, expected: {} }') }))
  }
  it('synth of an environment that knows none of the databases', async () => {
    const cwd = withEnvironment('{ databases: {}, expected: {} }')
    const app = join(packageFolder, 'aws/app.ts')

    const { status, stderr } = spawnSync(process.execPath, [app], { cwd, encoding: 'utf8' })

    assert.match(stderr, UNKNOWN_DATABASES)
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
    assert.equal(status, 1)
  })
  for (const [what, text, message] of [
    ['a line without =', 'TILL_DATABASE_URL', /line 1 is no NAME=value/],
    ['a quote that is not closed', 'A="x\nB=y', /the quote that begins in line 1 \(A\) is not closed/],
    ['a variable that is set twice', 'A=x\n# and\nA=y', /A is set in line 1 and again in line 3/],
  ] as const) {
    it(`a .env with ${what}`, () =>
      assertSaid(['runs'], new RegExp(`^dray: .*\\.env: ${message.source}, so nothing was done; write each variable`), {
        folder: project((folder) => writeFileSync(join(folder, '.env'), text)),
      }))
  }
  it('a byte order mark and CRLF in .env are no part of a name or a value', () =>
    assertSaid(['run', 'orders'], /^dray: TILL_DATABASE_URL is not the URL of a database/, {
      folder: project((folder) =>
        writeFileSync(join(folder, '.env'), '\uFEFFTILL_DATABASE_URL=oracle://host/db\r\nA="two\r\nlines"\r\n'),
      ),
    }))
  it('a project without package.json', () =>
    assertSaid(['plan', 'orders'], /^dray: There is no package\.json in .*so nothing was done; put it back/, {
      folder: project((folder) => rmSync(join(folder, 'package.json'))),
    }))
  it('an environment that is misspelt', () =>
    assertSaid(
      ['runs', '--env', 'tset'],
      /^dray: There is no environment tset in .*did you mean test\? There are test\./,
      {
        folder: withEnvironment("{ databases: {}, expected: { nightly: { successWithin: '1d' } } }"),
      },
    ))
  for (const [what, steps, message] of [
    [
      'a cycle in after',
      'run(orders, { after: [mart] }), run(mart, { after: [orders] })',
      /orders → mart → orders is a cycle.*remove one/,
    ],
    ['one pipeline twice', 'run(orders), run(orders)', /runs orders twice.*remove one/],
    ['no step at all', '', /has no steps.*add run\(<pipeline>\)/],
  ] as const) {
    it(`a workflow with ${what}`, () =>
      assertSaid(['run'], new RegExp(`^dray: Workflow nightly:? ${message.source}`), {
        folder: withProject('run(orders), run(mart, { after: [orders] })', steps),
      }))
  }
  for (const [what, url, message] of [
    [
      'a host that nobody knows',
      'postgres://u:p@nohost.invalid/d',
      /the host nohost\.invalid is not known.*correct the host in TILL/,
    ],
    [
      'a port where nobody listens',
      'postgres://u:p@127.0.0.1:1/d',
      /127\.0\.0\.1:1 cannot be connected to.*start the server, or correct/,
    ],
    [
      'an engine that Dray does not know',
      'oracle://u:p@h/d',
      /TILL_DATABASE_URL is not the URL of a database.*set it to postgres:/,
    ],
    ['a password that is not escaped', 'postgres://u:p#ss@h/d', /TILL_DATABASE_URL holds a character.*# as %23/],
  ] as const) {
    it(`a database at ${what}`, () =>
      assertSaid(['run', 'orders', '--progress', 'none'], new RegExp(`^dray: .*${message.source}`), {
        TILL_DATABASE_URL: url,
      }))
  }
  for (const [what, args, message] of [
    [
      'a chunk of no length',
      ['--from', '2024-01-01', '--to', '2024-02-01', '--chunk', '0d'],
      /--chunk "0d" is not a length.*write 1h/,
    ],
    [
      'a chunk without a unit',
      ['--from', '2024-01-01', '--to', '2024-02-01', '--chunk', '1'],
      /--chunk "1" is not a length.*write 1h/,
    ],
    [
      'a day that no month has',
      ['--from', '2024-02-30', '--to', '2024-03-01'],
      /--from "2024-02-30" is not a point in time.*write it as/,
    ],
    ['a date of another form', ['--from', '2024-01-01', '--to', '02/01/2024'], /--to ".*" is not a point in time/],
    [
      'an end before its beginning',
      ['--from', '2024-02-01', '--to', '2024-01-01'],
      /--from 2024-02-01 is not before --to 2024-01-01/,
    ],
    [
      'an empty range',
      ['--from', '2024-01-01', '--to', '2024-01-01'],
      /--from 2024-01-01 is not before --to 2024-01-01/,
    ],
  ] as const) {
    it(`a backfill of ${what}`, () =>
      assertSaid(['backfill', 'orders', ...args], new RegExp(`^dray: ${message.source}`), { folder: withCursor() }))
  }
  it('a pipeline whose last_run is to be reset and which there is not', () =>
    assertSaid(
      ['state', 'reset', 'nosuch', '--yes'],
      /^dray: There is no pipeline nosuch, so nothing was done; there are orders\./,
    ))
  it('a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo

    await assertSaid(
      ['dev', '--port', String(port)],
      /^dray: The port \d+ of 127\.0\.0\.1 is taken, .*take another one: `npx dray dev --port/,
    )
    server.close()
  })
  it('a Node that is too old, where none comes with Dray', () => {
    const bin = join(project(), 'bin')
    mkdirSync(join(bin, 'infra/dray/cli'), { recursive: true })
    const command = join(bin, 'infra/dray/cli/node24')
    copyFileSync(join(packageFolder, 'cli/node24'), command)
    writeFileSync(join(bin, 'node'), '#!/bin/sh\n[ "$1" = --version ] && echo v18.20.0 && exit 0\nexit 1\n', {
      mode: 0o755,
    })

    const { status, stderr } = spawnSync('/bin/sh', [command, 'x.ts'], {
      env: { PATH: `${bin}:/usr/bin:/bin` },
      encoding: 'utf8',
    })

    assert.match(
      stderr,
      /^No Node comes with Dray for this platform, and .*node is v18\.20\.0, so nothing was run: install Node 24/,
    )
    assert.equal(status, 1)
  })
  for (const [what, from, to, message] of [
    [
      'no transform',
      '  transform: ({ id, name }) => ({ id, name: cleanText(name) }),',
      '',
      /transform is no function; write/,
    ],
    ['an option that is misspelt', 'extract:', 'concurency: 4, extract:', /concurency is no option.*concurrency$/],
    ['nothing to read', 'fullLoad(Source)', 'Source as never', /extract says nothing to read; write extract: fullLoad/],
    [
      'nothing to write',
      "upsert(Target, { by: 'id' })",
      'Target as never',
      /load says nothing to write; write load: upsert/,
    ],
    [
      'a source to write into',
      'upsert(Target',
      'upsert(Source as never',
      /load writes till\.orders.*a source and only read/,
    ],
    ['no key to find rows by', "by: 'id'", 'by: []', /by names no field, so no row could be found again; name/],
    ['a key that is no field', "by: 'id'", "by: 'nope' as never", /by names "nope".*its fields are id, name$/],
  ] as const) {
    it(`a pipeline with ${what}, in plan as in run`, async () => {
      const folder = withPipeline(from, to)
      for (const verb of ['plan', 'run']) {
        await assertSaid([verb, 'orders'], new RegExp(`^dray: pipeline\\('orders'\\): .*${message.source}`, 'm'), {
          folder,
        })
      }
    })
  }
  for (const [what, from, to, message] of [
    [
      'no project',
      'export const project',
      'export const projekt',
      /infra\/project\.ts exports no project.*write: export/,
    ],
    [
      'an engine that does not come with Dray',
      "till: { embedded: 'sqlite' }",
      "till: { embedded: 'oracle' }",
      /till is embedded as "oracle".*sqlite, postgres; where/,
    ],
    [
      'a main that is no workflow of it',
      'main: nightly',
      "main: workflow('weekly', { steps: [run(mart)] })",
      /main is weekly, which is not among the workflows/,
    ],
    [
      'a workflow with blanks in its name',
      "workflow('nightly'",
      "workflow('Nightly Run'",
      /Workflow 'Nightly Run' is not named in kebab-case.*such as daily-update/,
    ],
  ] as const) {
    it(`a project file with ${what}`, () =>
      assertSaid(['runs'], new RegExp(`^dray: .*${message.source}`), { folder: withProject(from, to) }))
  }
  for (const [what, from, to, message] of [
    ['a text without a length', 'text().nullable()', 'varchar(0)', /varchar\(\) was given the size 0/],
    [
      'one column twice',
      'name: text()',
      "other: text().column('name'), name: text()",
      /two fields name the column "name"; remove one/,
    ],
    ['a table without a name', "table('orders'", "table(''", /"" is no name of a table/],
    [
      'a field that records have',
      'name: text()',
      'save: text(), name: text()',
      /a member "save".*other: text\(\)\.column\('save'\)/,
    ],
    [
      'a database that no variable can name',
      "database('lake')",
      "database('The Lake')",
      /database\("The Lake"\): no variable.*as sales/,
    ],
  ] as const) {
    it(`a model with ${what}`, () =>
      assertSaid(['plan', 'orders'], new RegExp(`^dray: .*${message.source}`), {
        folder: project((folder) => {
          const file = join(folder, 'shared/models/lake.ts')
          const text = readFileSync(file, 'utf8').replace("text } from 'dray'", "text, varchar } from 'dray'")
          assert.ok(text.includes(from))
          writeFileSync(file, text.replace(from, to))
        }),
      }))
  }
  it('a package.json that is no JSON', () =>
    assertSaid(['runs'], /^dray: .*package\.json is no JSON \(.*so nothing was done; mend it there/, {
      folder: project((folder) => writeFileSync(join(folder, 'package.json'), '{ nope')),
    }))
  for (const [what, url, message] of [
    [
      'a file that is no database',
      'sqlite:infra/project.ts',
      /cannot be opened: file is not a database; set TILL_DATABASE_URL/,
    ],
    ['a folder', 'sqlite:infra', /infra is a folder; set TILL_DATABASE_URL/],
    ['a folder that is not there', 'sqlite:/proc/nope/x.db', /in a folder that does not exist; set TILL_DATABASE_URL/],
    [
      'a file without its engine',
      'till.db',
      /TILL_DATABASE_URL is not the URL of a database.*sqlite:path\/to\/file\.db/,
    ],
    ['a server without a database', 'postgres://localhost', /names no database; set TILL_DATABASE_URL/],
    ['a TLS that there is not', 'postgres://u:p@h/d?sslmode=maybe', /unknown sslmode "maybe" \(use verify-full/],
  ] as const) {
    it(`a database at ${what}`, () =>
      assertSaid(['plan', 'orders'], new RegExp(`^dray: .*${message.source}`), { TILL_DATABASE_URL: url }))
  }
  for (const [what, field, returned, message] of [
    [
      'an object in a decimal field',
      'decimal(10, 2)',
      '({ id, name: { a: 1 } as never })',
      /name transform_failed: an object \(Object\) is no decimal; write a text, '19\.90'/,
    ],
    [
      'an object in a text field',
      'text()',
      '({ id, name: { a: 1 } as never })',
      /name transform_failed: an object \(Object\) is no text; write a text/,
    ],
    ['a string', 'text()', "'x' as never", /transform_failed: the transform returned a string; it returns an object/],
    [
      'a promise',
      'text()',
      'Promise.resolve({ id }) as never',
      /the transform returned a promise, and no transform is async/,
    ],
    ['nothing', 'text()', 'undefined as never', /the transform returned nothing; it returns an object/],
  ] as const) {
    it(`a transform that returns ${what}: its rows are kept with the reason`, async () => {
      const folder = withPipeline('({ id, name: cleanText(name) })', returned)
      const model = join(folder, 'shared/models/lake.ts')
      const text = readFileSync(model, 'utf8').replace("text } from 'dray'", "decimal, text } from 'dray'")
      writeFileSync(model, text.replace('text().nullable()', `${field}.nullable()`))
      const filled = filledDatabases(folder)

      const run = await startDray(filled.DRAY_HOME, ['run', 'orders', '--json'], filled, folder).ended
      const shown = await startDray(filled.DRAY_HOME, ['quarantine', 'show', 'orders'], filled, folder).ended

      const [{ read, quarantined }] = JSON.parse(run.stdout).steps
      assert.deepEqual([run.code, read, quarantined], [0, 2, 2], run.stderr)
      assert.match(shown.stdout, message)
      assert.equal(shown.code, 0)
    })
  }
  it('more than 1,000 keys: those that the source has are loaded, and the others are counted', async () => {
    const folder = project()
    const filled = filledDatabases(folder)
    const keys = Array.from({ length: 1500 }, (_, place) => place + 1).join(',')

    const { code, stdout, stderr } = await startDray(home, ['run', 'orders', '--keys', keys, '--json'], filled, folder)
      .ended

    const [{ read, inserted, notes }] = JSON.parse(stdout).steps
    assert.deepEqual([code, read, inserted], [0, 2, 2], stderr)
    assert.match(notes.join(), /^1498 of 1500 keys have no row in till\.orders$/)
  })
  it('a log is wanted on a pipe: its lines are for people, and stdout has the report alone', async () => {
    const folder = project()
    const filled = filledDatabases(folder)

    const { code, stdout, stderr } = await startDray(
      home,
      ['run', 'orders', '--progress', 'log', '--debug'],
      filled,
      folder,
    ).ended

    assert.equal(code, 0)
    assert.match(stderr, /^orders: plan$/m)
    assert.match(stderr, /^\d\d:\d\d:\d\d\.\d{3} INFO {2}orders load 1: succeeded {2}request_id=/m)
    assert.match(stderr, /^orders: success after .*, 2 rows read$/m)
    assert.doesNotMatch(`${stdout}${stderr}`, /^\{/m)
    assert.match(stdout, /^step +status/m)
  })
  it('a fixture that is not JSON', () =>
    assertSaid(
      ['preview', 'orders', '--save-fixture'],
      /^dray: orders: .*orders\.fixture\.json is no fixture.*delete it/,
      {
        folder: project((folder) => writeFileSync(join(folder, 'functions/orders/orders.fixture.json'), '{ nope')),
      },
    ))
  for (const [args, message] of [
    [['docs', '/proc/nope'], /^dray: \/proc\/nope cannot be made \(.*so nothing was written; name another folder/],
    [['docs', 'package.json'], /^dray: .*package\.json cannot be written to \(it is no folder\)/],
    [['new', 'project', 'package.json'], /^dray: .*package\.json cannot be written to \(it is no folder\)/],
    [['preview', 'orders', '--save-fixture', 'infra'], /^dray: orders: .*infra is a folder; name a file in it/],
    [['runs', '--workflow', 'nihgtly'], /^dray: There is no workflow nihgtly.*did you mean nightly\?/],
    [['quarantine', 'show', 'nosuch'], /^dray: No row .* nosuch, which is no run, no pipeline and no id/],
  ] as const) {
    it(args.join(' '), () => assertSaid(args, message))
  }

  it('a folder of the state that is a file', () =>
    assertSaid(['state', 'show'], /^dray: .*package\.json cannot be written \(it is no folder\).*DRAY_HOME=<folder>/, {
      DRAY_HOME: join(whole, 'package.json'),
    }))
  it('a folder of the state that may only be read', {
    skip: process.getuid?.() === 0 && 'root writes everywhere',
  }, () => {
    const only = join(project(), 'only-read')
    mkdirSync(only, { mode: 0o500 })
    return assertSaid(['state', 'show'], /^dray: .*only-read cannot be written .*DRAY_HOME=<folder>/, {
      DRAY_HOME: only,
    })
  })
  it('a folder that cannot be made', () =>
    assertSaid(['state', 'show'], /^dray: \/proc\/nope cannot be made .*DRAY_HOME=<folder>/, {
      DRAY_HOME: '/proc/nope',
    }))

  for (const [what, args, message] of [
    [
      'a step that the workflow has not',
      ['run', 'nightly', '--only', 'order'],
      /^dray: --only names "order", so nothing was run; nightly has orders, mart\./,
    ],
    ['no step', ['run', 'orders', '--only', ''], /^dray: --only names "", so nothing was run/],
    [
      'no keys',
      ['run', 'orders', '--keys', ''],
      /^dray: --keys '' gives no keys, so nothing was done; write --keys 1,2,3/,
    ],
    [
      'keys that are half of a JSON',
      ['run', 'orders', '--keys', '[1'],
      /^dray: --keys \[1 gives no keys, so nothing was done/,
    ],
    [
      'keys of a whole workflow',
      ['run', 'nightly', '--keys', '1'],
      /^dray: --keys are the keys of one pipeline's source.*name one of its pipelines: orders/,
    ],
    [
      'a workflow that is none',
      ['run', 'orders', '--workflow', 'weekly'],
      /^dray: There is no workflow or pipeline orders in a workflow weekly/,
    ],
    [
      'an empty name',
      ['run', ''],
      /^dray: There is no workflow or pipeline '', so nothing was run; there are nightly, orders, mart\./,
    ],
    [
      'a name that has no end',
      ['run', 'x'.repeat(300)],
      /^dray: There is no workflow or pipeline x{60}…, so nothing was run/,
    ],
    [
      'a local run to be detached from',
      ['run', 'orders', '--detach'],
      /^dray: A local run lives in this process.*leave --detach out/,
    ],
    ['an environment that there is not', ['runs', '--env', 'nope'], /^dray: There is no environment nope/],
    [
      'progress of another kind',
      ['run', 'orders', '--progress', 'loud'],
      /^dray: .*'loud' is invalid\. Allowed choices are auto, log, none/,
    ],
    [
      'fewer rows than one',
      ['preview', 'orders', '--limit', '-1'],
      /^dray: --limit -1 is not a number .*so nothing was done; write --limit 20\./,
    ],
    [
      'fewer days than one',
      ['quarantine', 'prune', '--days', '0'],
      /^dray: --days 0 is not a number .*so nothing was done; write --days 20\./,
    ],
    [
      'a range of a pipeline that has none',
      ['backfill', 'orders', '--from', '2024-01-01', '--to', '2024-01-02'],
      /^dray: orders reads its whole source.*`npx dray run orders` loads everything/,
    ],
    [
      'half of a range',
      ['plan', 'orders', '--from', '2024-01-01'],
      /^dray: A backfill has a beginning and an end, so nothing was planned; write --from/,
    ],
    ['chunks of no range', ['plan', 'orders', '--chunk', '1d'], /^dray: A backfill has a beginning and an end/],
    [
      'a file that is not there',
      ['import', 'csv', 'none.csv', '--into', 'till.x'],
      /^dray: Cannot read none\.csv \(ENOENT\), so nothing is imported; give the path/,
    ],
    [
      'a folder in place of a file',
      ['import', 'csv', '.', '--into', 'till.x'],
      /^dray: \. is not a file, so nothing is imported/,
    ],
    [
      'a database without a table',
      ['import', 'csv', 'x.csv', '--into', 'till'],
      /^dray: --into till names no table.*write --into <database>\.<table>/,
    ],
    [
      'a last_run where there is none',
      ['state', 'set', 'orders', 'soon'],
      /^dray: orders reads its whole source .* no last_run, so nothing was changed/,
    ],
    [
      'a run that there is not',
      ['resume', 'nosuch'],
      /^dray: There is no run nosuch .*so it cannot be resumed; `npx dray runs` lists the runs\./,
    ],
    [
      'a run that is a path',
      ['runs', 'logs', '../../etc/passwd'],
      /^dray: "\.\.\/\.\.\/etc\/passwd" is not the name of a run.*`npx dray runs`/,
    ],
    [
      'a task to be reconciled',
      ['reconcile', 'mart'],
      /^dray: mart is a task of the workflow nightly.*`npx dray run mart` runs it alone/,
    ],
    [
      'a table that no model writes',
      ['schema', 'plan', 'lake.nope'],
      /^dray: No model writes lake\.nope, so nothing was done; there are lake\.orders/,
    ],
    [
      'a rename without a name',
      ['schema', 'apply', '--rename', 'x'],
      /^dray: --rename x names no column.*write --rename <database>/,
    ],
    [
      'a schedule of one field',
      ['new', 'workflow', 'w', 'orders', '--cron', 'bad'],
      /^dray: The cron expression 'bad' has 1 fields, .*give five: minute/,
    ],
    [
      'a name with blanks',
      ['new', 'workflow', 'Bad Name', 'orders'],
      /^dray: Bad Name is not in kebab-case, so nothing was written; call it bad-name\./,
    ],
    [
      'a pipeline that nobody has written',
      ['new', 'workflow', 'w', 'nosuch'],
      /^dray: There is no pipeline and no task nosuch .*so nothing was written; there are mart, orders\./,
    ],
    [
      'a folder that is not empty',
      ['new', 'project', '.'],
      /^dray: .* is not empty, so nothing was written; name a folder/,
    ],
    [
      'a version that is nowhere',
      ['upgrade', '/nowhere', '--dry-run'],
      /^dray: \/nowhere is no folder and no Git URL.*so nothing was changed; write dray upgrade/,
    ],
  ] as const) {
    it(what, () => assertSaid(args, message))
  }
})
