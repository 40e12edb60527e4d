import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { dray, temporaryHome } from './dray-process.ts'

describe('dray run --demo', () => {
  const { home, remove } = temporaryHome()
  after(remove)

  it('prepares the demo data of the project before each run, and tells it what the last one has landed', async () => {
    const first = await dray(home, ['run', '--demo', '--json', '--progress', 'log'])
    const second = await dray(home, ['run', 'orders', '--demo', '--json', '--progress', 'log'])

    assert.deepEqual([first.code, second.code], [0, 0], first.stderr + second.stderr)
    assert.match(first.stderr, /^Demo: an order after the beginning\.$/m)
    assert.match(second.stderr, /^Demo: an order after \d{4}-\d\d-\d\d /m)
    const steps = JSON.parse(first.stdout).steps as { step: string; read: number; quarantined: number }[]
    assert.deepEqual(
      steps.map(({ step, read, quarantined }) => [step, read, quarantined]),
      [
        ['customers', 2, 1],
        ['orders', 1, 0],
        ['data-mart', 1, 0],
      ],
    )
  })

  it('names the databases that Dray has not brought, so that they are left alone', async () => {
    const { stderr } = await dray(home, ['run', 'customers', '--demo', '--progress', 'log'], {
      SHOP_DATABASE_URL: `sqlite:${home}/somebodys.db`,
    })

    assert.match(stderr, /^Demo: the sources hold data of their own\.$/m)
  })
})
