import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, beforeEach, describe, it } from 'node:test'
import { dray, temporaryHome } from './dray-process.ts'
import { NO_TERMINAL, onTerminal as runOnTerminal } from './terminal.ts'

/* What the command asks on a terminal, and what it does with the answers. */

describe('questions on a terminal', { skip: NO_TERMINAL }, () => {
  const { home, remove } = temporaryHome()
  const urls = Object.fromEntries(
    ['SHOP', 'TILL', 'LAKE'].map((name) => [`${name}_DATABASE_URL`, `sqlite:${join(home, `${name}.db`)}`]),
  )
  let lake: DatabaseSync

  const onTerminal = (args: readonly string[], answers: readonly string[]) =>
    runOnTerminal(args, { home, urls, answers })

  const columns = () =>
    lake
      .prepare("select name from pragma_table_info('customer_dim')")
      .all()
      .map(({ name }) => name)

  before(() => {
    lake = new DatabaseSync(join(home, 'LAKE.db'))
  })
  after(() => {
    lake.close()
    remove()
  })
  beforeEach(async () => {
    lake.exec('drop table if exists customer_dim')
    assert.equal((await dray(home, ['schema', 'apply'], urls)).code, 0)
  })

  it('renames a column that is said to be another one, and keeps its values', async () => {
    lake.exec(
      "alter table customer_dim rename column city to town; insert into customer_dim (id, full_name, town) values (1, 'Ann', 'Turku')",
    )

    const { code, output, asked } = await onTerminal(['schema', 'apply'], ['y\n'])

    assert.match(output, /lake\.customer_dim: is city the column town under another name\? \[y\/N\]/)
    assert.deepEqual([code, asked], [0, 1], output)
    assert.equal(lake.prepare('select city from customer_dim').get()?.city, 'Turku')
  })

  it('takes them for two where that is denied, and asks before it drops one', async () => {
    lake.exec(
      "alter table customer_dim rename column city to town; insert into customer_dim (id, full_name, town) values (1, 'Ann', 'Turku')",
    )

    const { code, output, asked } = await onTerminal(['schema', 'apply'], ['n\n', '\n'])

    assert.match(output, /drops town\? It drops 1 value of 1 row/)
    assert.deepEqual([code, asked], [0, 2], output)
    assert.ok(columns().includes('town') && columns().includes('city'))
  })

  for (const [title, key] of [
    ['Ctrl-C', '\x03'],
    ['the end of the input', '\x04'],
  ] as const) {
    it(`ends at ${title} without having done anything`, async () => {
      lake.exec('alter table customer_dim drop column city; alter table customer_dim add column legacy blob')
      const had = columns()

      const { code, output } = await onTerminal(['schema', 'apply'], [key])

      assert.match(output, /Not answered, so nothing was done/)
      assert.deepEqual([code, columns()], [130, had], output)
    })
  }
})
