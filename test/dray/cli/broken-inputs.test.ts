import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ORDERS_PIPELINE, ordersProject } from '#test/services/orders-project.ts'
import { writeProject } from '#test/services/small-project.ts'
import { startDray, temporaryHome } from './dray-process.ts'

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
  it('a folder that cannot be made', () =>
    assertSaid(['state', 'show'], /^dray: \/proc\/nope cannot be made .*DRAY_HOME=<folder>/, {
      DRAY_HOME: '/proc/nope',
    }))
})
