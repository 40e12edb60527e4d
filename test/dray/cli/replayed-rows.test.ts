import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, it } from 'node:test'
import { ORDERS_PIPELINE, ordersProject } from '#test/services/orders-project.ts'
import { writeProject } from '#test/services/small-project.ts'
import { startDray, temporaryHome } from './dray-process.ts'

const REV = ', rev: bigint() }'

/** A load with a version, whose kept rows are sent as they are. */
function pipelineRefusing(names: string): string {
  return ORDERS_PIPELINE.replace(' }) {}', `${REV}) {}`)
    .replace('({ id, name })', '({ id, name, rev }, { reject })')
    .replace(
      '({ id, name: cleanText(name) })',
      `(${names}.includes(name ?? '') ? reject('name', 'bad') : { id, name: cleanText(name), rev })`,
    )
    .replace("{ by: 'id' }),", "{ by: 'id', version: 'rev' }),\n  quarantine: { share: 1 },")
}

describe('dray quarantine', () => {
  const { home, remove } = temporaryHome()
  const files = ordersProject()
  const { folder, remove: removeProject } = writeProject({
    ...files,
    'functions/orders/pipeline.ts': pipelineRefusing("['b', 'c']"),
    'shared/models/lake.ts': files['shared/models/lake.ts']?.replace(' }) {}', `${REV}) {}`) ?? '',
  })
  after(() => {
    removeProject()
    remove()
  })
  const urls = Object.fromEntries(['till', 'lake'].map((name) => [`${name.toUpperCase()}_DATABASE_URL`, urlOf(name)]))
  const dray = (...args: string[]) => startDray(home, args, urls, folder).ended

  function urlOf(name: string) {
    return `sqlite:${join(folder, `${name}.db`)}`
  }

  it('replay says how many rows were loaded, how many refused again, and why', async () => {
    const till = new DatabaseSync(join(folder, 'till.db'))
    till.exec(
      "create table orders (id integer primary key, name text, rev integer); insert into orders values (1, 'a', 1), (2, 'b', 1), (3, 'c', 1)",
    )
    till.close()
    assert.equal((await dray('run', 'orders', '--progress', 'none')).code, 0)
    writeFileSync(join(folder, 'functions/orders/pipeline.ts'), pipelineRefusing("['b']"))

    const { code, stdout, stderr } = await dray('quarantine', 'replay', 'orders', '--progress', 'none')

    assert.match(
      stdout,
      /^ {2}orders: of 2 sent again 1 loaded, 1 refused again \(name bad 1\); `npx dray quarantine show \S+` shows them, and a usual run reads what the source says now$/m,
    )
    assert.equal(code, 0, stderr)

    const again = await dray('quarantine', 'replay', 'orders', '--json', '--progress', 'none')

    assert.deepEqual(JSON.parse(again.stdout).refused_again, { orders: { 'name bad': 1 } })
  })

  for (const verb of ['list', 'prune']) {
    it(`${verb} of a pipeline that there is not names the nearest`, async () => {
      const { code, stdout, stderr } = await dray('quarantine', verb, 'ordres')

      assert.match(
        stderr,
        /^dray: There is no pipeline ordres, so nothing was done; did you mean orders\? There are orders\.\n$/,
      )
      assert.deepEqual([code, stdout], [2, ''])
    })
  }
})
