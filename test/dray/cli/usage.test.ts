import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { dray, startDray, temporaryHome } from './dray-process.ts'

const { home, remove } = temporaryHome()

/** One line on stderr, nothing on stdout, no stack. */
async function assertRefused(args: readonly string[], message: RegExp, environment: NodeJS.ProcessEnv = {}) {
  const { code, stdout, stderr } = await dray(home, args, environment)

  assert.match(stderr, message)
  assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
  assert.equal(stdout, '')
  assert.equal(code, 2)
}

describe('dray refuses in one line, with exit code 2,', { concurrency: 2 }, () => {
  after(remove)

  it('an unknown verb', () => assertRefused(['rnu', 'x'], /^dray: unknown command 'rnu'\. Did you mean run\?/))
  it('an unknown verb of a verb, and shows its own help', () =>
    assertRefused(['runs', 'shwo'], /unknown command 'runs shwo'; did you mean show\?.* See npx dray runs --help/))
  it('a misspelt pipeline, and names the nearest', () =>
    assertRefused(['plan', 'customrs'], /no pipeline customrs.*did you mean customers\? There are customers, orders\./))
  it('a flag that another verb has, and shows the help of this one', () =>
    assertRefused(['state', 'show', '--only', 'x'], /unknown option '--only'.* See npx dray state show --help/))
  it('a wrong flag', () => assertRefused(['runs', '--jsn'], /^dray: unknown option '--jsn'\. Did you mean --json\?/))
  it('a missing argument', () => assertRefused(['resume'], /^dray: missing required argument 'run'/))
  it('a wrong choice', () => assertRefused(['run', 'x', '--progress', 'bar'], /Allowed choices are auto, log, none/))
  it('a limit that is no number', () => assertRefused(['runs', '--limit', 'ten'], /--limit ten is not a number/))
  it('an unknown workflow, and names those there are', () =>
    assertRefused(['run', 'dayly'], /no workflow or pipeline dayly.*nightly.*customers/))
  it('steps that the workflow does not have', () =>
    assertRefused(
      ['run', 'nightly', '--only', 'orders,order'],
      /--only names "order", so nothing was run; .* has customers, orders, data-mart\./,
    ))
  it('a target that there is not, and names those there are', () =>
    assertRefused(['run', 'customers', '--env', 'production'], /no environment production.*here are dev, prod\./))
  it('the former name of --env, and gives the new one', () =>
    assertRefused(['runs', '--target', 'dev'], /It is called --env now: write --env dev/))
  it('a malformed URL, and does not print it', async () => {
    await assertRefused(['run', 'customers'], /^dray: LAKE_DATABASE_URL is not the URL of a database/, {
      LAKE_DATABASE_URL: 'oracle://scott:tiger@host/db',
    })
    const { stderr } = await dray(home, ['run', 'customers'], {
      LAKE_DATABASE_URL: 'oracle://scott:tiger@host/db',
    })
    assert.doesNotMatch(stderr, /tiger/)
  })
  it('an import into no table', () =>
    assertRefused(['import', 'csv', 'x.csv', '--into', 'shop'], /--into shop names no table/))
  it('an import into an unknown database', () =>
    assertRefused(['import', 'csv', 'x.csv', '--into', 'shoe.orders'], /There is no database shoe.*shop, till, lake/))
  it('an import of a file that is not there', () =>
    assertRefused(
      ['import', 'csv', '/missing.csv', '--into', 'shop.customers'],
      /Cannot read \/missing\.csv \(ENOENT\)/,
    ))
})

describe('dray', () => {
  after(remove)

  it('explains itself', async () => {
    const { code, stdout, stderr } = await dray(home, ['--help'])

    assert.equal(code, 0)
    assert.equal(stderr, '')
    for (const verb of ['run', 'runs', 'state', 'import', 'services'])
      assert.match(stdout, new RegExp(`^ {2}${verb} `, 'm'))
    assert.match(stdout, /130 interrupted/)
  })

  it('gives a program the same words as a document, with --json', async () => {
    const wrong = await dray(home, ['run', 'dayly', '--json'])
    const usage = await dray(home, ['backfill', 'orders', '--json'])

    assert.deepEqual([wrong.code, usage.code], [2, 2])
    assert.deepEqual(JSON.parse(usage.stdout), {
      version: 1,
      error: {
        code: 'usage',
        message: "required option '--from <time>' not specified. See npx dray backfill --help.",
        remedy: 'npx dray backfill --help',
        docs: 'docs/pipelines.md',
      },
    })
    const { code, message } = JSON.parse(wrong.stdout).error
    assert.equal(code, 'configuration')
    assert.equal(wrong.stderr, `dray: ${message}\n`)
  })

  it('prints the stack of an error only with --debug', async () => {
    const plain = await dray(home, ['run', 'dayly'])
    const debug = await dray(home, ['run', 'dayly', '--debug'])

    assert.doesNotMatch(plain.stderr, /\n\s+at /)
    assert.match(debug.stderr, /\n\s+at stepsNamed/)
  })

  it('lists nothing, and says how to begin, before the first run', async () => {
    const text = await dray(home, ['runs'])
    const json = await dray(home, ['runs', '--json'])
    const state = await dray(home, ['state', 'show', '--json'])

    assert.match(text.stdout, /Nothing has run yet/)
    assert.deepEqual(JSON.parse(json.stdout), { version: 1, runs: [] })
    assert.deepEqual(JSON.parse(state.stdout), { version: 1, pipelines: [] })
    assert.equal(json.stderr, '')
  })

  it('says that a run or the state of a pipeline is not there', async () => {
    const run = await dray(home, ['runs', 'show', 'r-1'])
    const state = await dray(home, ['state', 'show', 'orders'])

    assert.deepEqual([run.code, state.code], [2, 2])
    assert.match(run.stderr, /^dray: There is no run r-1; `npx dray runs` lists the runs\.\n$/)
    assert.match(state.stderr, /^dray: The pipeline orders has no state/)
  })

  it('keeps the services up for other commands until it is interrupted', async () => {
    const { child, ended } = startDray(home, ['services', '--json'], { LAKE_DATABASE_URL: 'sqlite:w.db' })
    while (!existsSync(join(home, 'services.json'))) await delay(20)
    const during = await dray(home, ['runs'])

    child.kill('SIGINT')
    const { code, stdout } = await ended

    assert.equal(during.code, 0)
    assert.equal(code, 0)
    const { STATE_ENDPOINT, TILL_DATABASE_URL } = JSON.parse(stdout).variables
    assert.equal(STATE_ENDPOINT, `sqlite:${join(home, 'state.db')}`)
    assert.match(TILL_DATABASE_URL, /^postgres:/)
    assert.equal(existsSync(join(home, 'services.json')), false)
  })
})
