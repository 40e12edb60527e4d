import assert from 'node:assert/strict'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { createConnection } from 'mysql2/promise'
import { dray as drayIn, type Ended, temporaryHome } from '#test/cli/dray-process.ts'
import { startMariaDB } from '#test/services/mariadb.ts'
import { emulatorPackage } from './emulator-package.ts'

/* What a user does who has no account: the same environment, with the databases that `dray run` uses. */

const found = await emulatorPackage()
const mariadb = await startMariaDB()
const why = [found, mariadb].flatMap((part) => ('unavailable' in part ? [part.unavailable] : []))[0] ?? false
if (why !== false && process.env.CI === 'true') throw new Error(`CI must not skip suites: ${why}`)

describe('the environment emulated', { skip: why }, () => {
  const { home, remove } = temporaryHome()
  // By default the folder is in the project, which is a package of ES modules.
  writeFileSync(join(home, 'package.json'), '{ "type": "module" }')
  const python = 'unavailable' in found ? '' : found.python
  // Somebody is signed in to an account of theirs, which must not be met.
  const own = { AWS_PROFILE: 'somebody', AWS_REGION: 'us-east-1', AWS_SESSION_TOKEN: 'theirs' }
  const dray = (...args: string[]) => drayIn(home, args, { ...own, DRAY_EMULATOR_PYTHON: python })
  // Other suites synthesize the same project.
  const output = ['--', '--output', join(home, 'cdk.out')]
  const succeeded = ({ code, stdout, stderr }: Ended) => {
    assert.equal(code, 0, `${stderr}${stdout}`)
    return stdout
  }
  const run = async (...args: string[]) => JSON.parse(succeeded(await dray('run', ...args, '--json')))

  after(async () => {
    await dray('destroy', 'emulated')
    if (!('unavailable' in mariadb)) await mariadb.stop()
    remove()
  })

  it('is named as what starts it while it is not up', async () => {
    const { code, stderr } = await dray('runs', '--env', 'emulated')

    assert.equal(code, 2)
    assert.match(stderr, /The emulator of emulated is not up.*`npx dray deploy emulated` starts it/)
  })

  it('is deployed with no account and no approval, and runs on the embedded databases', async () => {
    const local = await run('--demo')

    succeeded(await dray('deploy', 'emulated', ...output))
    const emulated = await run('--env', 'emulated')

    assert.deepEqual([local.status, emulated.status], ['success', 'success'])
    const orders = ({ steps }: typeof local) => steps.find(({ step }: { step: string }) => step === 'orders')
    assert.ok(orders(local).inserted > 0)
    assert.deepEqual([orders(emulated).inserted, orders(emulated).unchanged], [0, orders(local).inserted])
    const { runs } = JSON.parse(succeeded(await dray('runs', '--env', 'emulated', '--json')))
    assert.deepEqual(
      runs.map(({ run_id: id }: { run_id: string }) => id),
      [emulated.run_id],
    )
  })

  it('is deployed again, and compared, while it is up', async () => {
    const { code, stdout, stderr } = await dray('diff', 'emulated', ...output)

    assert.equal(code, 0, stderr)
    assert.match(`${stdout}${stderr}`, /no differences/)
    succeeded(await dray('deploy', 'emulated', ...output))
  })

  // Two minutes, most of it what the other suites of this folder do, too.
  const byHand = process.env.CI === 'true' && 'by hand alone: npm run test:long -- cloud'
  it('lets dray prove show all on it, which leaves nothing in the servers that it was given, nor takes anything', {
    skip: byHand,
  }, async () => {
    if ('unavailable' in mariadb) return
    const source = await createConnection(await mariadb.createDatabase())
    const schemas = async () =>
      (await source.query('select schema_name from information_schema.schemata order by 1'))[0]
    const before = await schemas()

    const { code, stdout, stderr } = await drayIn(home, ['prove', 'emulated', '--json'], {
      DRAY_EMULATOR_PYTHON: python,
      PROVE_SOURCE_DATABASE_URL: mariadb.url,
    })
    const after = await schemas()
    await source.end()

    assert.equal(code, 0, `${stderr}${stdout}`)
    const { steps, us_dollars: cost, log } = JSON.parse(stdout)
    assert.deepEqual(
      steps.map(({ name, shown }: { name: string; shown: boolean }) => `${name} ${shown}`),
      [
        'prepare',
        'deploy',
        'run',
        'run again',
        'fail on purpose, resume',
        'deploy during a run',
        'replay',
        'take down',
      ].map((name) => `${name} true`),
    )
    assert.ok(cost > 0 && cost < 1, String(cost))
    assert.equal(log, null)
    assert.deepEqual(after, before)
    assert.deepEqual(readdirSync(join(home, 'prove')), [])
    assert.equal((await run('--env', 'emulated')).status, 'success')
  })

  it('is gone when it is destroyed, and nothing else', async () => {
    const { code, stderr } = await dray('destroy', 'emulated')

    assert.equal(code, 0)
    assert.match(
      stderr,
      /The emulator has ended, and all that was deployed to it is gone; the databases are as they were/,
    )
    assert.deepEqual([existsSync(join(home, 'emulated/aws')), existsSync(join(home, 'postgres'))], [false, true])
    assert.match((await dray('destroy', 'emulated')).stderr, /is not up, so there is nothing to take down/)
  })
})
