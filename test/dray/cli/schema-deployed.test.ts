import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { HandlerContext } from 'dray/internal/lambda/deadline.ts'
import { AwsApi } from '#test/services/aws-api.ts'
import { dray as drayIn, temporaryHome } from './dray-process.ts'

/*
 * The command as a process, and the handler of the deployed function behind a server of the tests that stands for
 * Lambda: the databases are bound where the handler is, and nowhere else. The function in its network, under its role,
 * is tried by test/dray/cloud.
 */

process.env.POWERTOOLS_LOG_LEVEL = 'SILENT'
const { schemaHandler } = await import('dray/lambda')

const NAME = 'Dray-dev_workflows_dray_schema'
const context = { getRemainingTimeInMillis: () => 900_000, functionName: NAME } as HandlerContext

describe('dray schema --env dev', () => {
  const { home, remove } = temporaryHome()
  const aws = new AwsApi()
  const handler = schemaHandler()
  const handle = (payload: unknown) => handler(payload as never, context)
  let endpoint: string
  let lake: DatabaseSync

  const dray = (...args: string[]) =>
    drayIn(home, args, {
      ...{
        AWS_ENDPOINT_URL: endpoint,
        AWS_REGION: 'eu-north-1',
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
      },
      LAKE_DATABASE_URL: 'sqlite:/nowhere/at/all.db',
    })

  before(async () => {
    endpoint = await aws.start()
    lake = new DatabaseSync(join(home, 'lake.db'))
    process.env.LAKE_DATABASE_URL = `sqlite:${join(home, 'lake.db')}`
  })
  after(async () => {
    lake.close()
    await aws.stop()
    remove()
  })
  beforeEach(async () => {
    aws.refusals.clear()
    aws.functions.set(NAME, handle)
    const { code, stderr } = await dray('schema', 'apply', '--yes', '--allow', 'loss', '--env', 'dev')
    assert.equal(code, 0, stderr)
  })

  it('plans and does what the models of this checkout want, where the databases are', async () => {
    lake.exec('alter table customer_dim drop column city; alter table customer_dim add column legacy blob')

    const planned = await dray('schema', 'plan', '--env', 'dev')
    const applied = await dray('schema', 'apply', '--env', 'dev', '--yes', '--allow', 'loss')
    const again = await dray('schema', '--env', 'dev')

    assert.match(planned.stdout, /safe +adds city TEXT\n/)
    assert.match(planned.stdout, /npx dray schema apply --allow loss --env dev\n$/)
    assert.match(applied.stdout, /done +adds city TEXT\n +done +drops legacy\n/)
    assert.deepEqual([planned.code, applied.code, again.code], [0, 0, 0])
    assert.equal(again.stdout, '3 tables looked at: every one fits its model.\n')
    const done = lake
      .prepare("select statement from dray_schema where statement like 'alter%' order by statement")
      .all()
    assert.match(JSON.stringify(done), /add column .*city.*drop column .*legacy/)
  })

  it('refuses to change a table that has changed since it was looked at', async () => {
    lake.exec('alter table customer_dim drop column city')
    let calls = 0
    aws.functions.set(NAME, (payload) => {
      calls += 1
      if (calls === 2) lake.exec('alter table customer_dim add column city text')
      return handle(payload)
    })

    const { code, stderr } = await dray('schema', 'apply', '--yes', '--env', 'dev')

    assert.match(
      stderr,
      /lake\.customer_dim has changed since it was looked at, so nothing was changed: .* npx dray schema plan --env dev/,
    )
    assert.deepEqual([code, calls], [2, 2])
  })

  it('names the commands of the environment where a table was lost with its rows', async () => {
    lake.exec('drop table order_fact; create table dray_fence (pipeline text, written_table text, mark text)')
    lake.exec("insert into dray_fence values ('orders', 'main.order_fact', '2024-01-01')")

    const { code, stdout } = await dray('schema', 'apply', '--env', 'dev')
    lake.exec('drop table dray_fence')

    assert.match(stdout, /not done +orders has loaded this table before.*npx dray state reset orders --env dev\n/)
    assert.equal(code, 1)
  })

  for (const { title, arrange, args = [], message, code } of [
    {
      title: 'nothing is deployed',
      arrange: () => aws.functions.delete(NAME),
      message: /dev has no function that looks at its tables, so .* deploy it first: `npx dray deploy dev`/,
      code: 2,
    },
    {
      title: 'the caller may not call it',
      arrange: () => aws.refusals.set('Invoke', 'AccessDeniedException'),
      message: /AWS refused, so dev cannot be worked with: Invoke is refused.*policy/,
      code: 2,
    },
    {
      title: 'the function dies',
      arrange: () => aws.functions.set(NAME, () => Promise.reject(new RangeError('out of memory'))),
      message:
        /The function Dray-dev_workflows_dray_schema has failed \(RangeError: out of memory\); look .*schema plan --env dev/,
      code: 1,
    },
    {
      title: 'the deployed version is older than the question',
      arrange: () => aws.functions.set(NAME, (payload) => handle({ ...(payload as object), version: 2 })),
      message: /a newer version of Dray than the one that is deployed: deploy it first/,
      code: 1,
    },
    {
      title: 'no pipeline of the environment writes the table',
      arrange: () => {},
      args: ['shop.customers'],
      message: /No model writes shop\.customers/,
      code: 2,
    },
  ]) {
    it(`says in a sentence that ${title}`, async () => {
      arrange()

      const { stdout, stderr, code: exitCode } = await dray('schema', 'plan', ...args, '--env', 'dev')

      assert.match(stderr, message)
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
      assert.deepEqual([exitCode, stdout], [code, ''])
    })
  }

  it('leaves models of sources to the machine where their files are', async () => {
    const { code, stderr } = await dray('schema', 'pull', '--env', 'dev')

    assert.match(stderr, /`dray schema pull` works on this machine only/)
    assert.equal(code, 2)
  })
})
