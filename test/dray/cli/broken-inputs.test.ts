import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

  /** The project with an environment named test. */
  function withEnvironment(settings: string): string {
    return project((folder) => {
      const file = join(folder, 'infra/project.ts')
      writeFileSync(file, readFileSync(file, 'utf8').replace('environments: {}', `environments: { test: ${settings} }`))
    })
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
