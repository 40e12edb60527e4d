import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, beforeEach, describe, it } from 'node:test'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import { fixtureFolder } from '#test/fixture-project.ts'
import { dray, temporaryHome } from './dray-process.ts'

/* The command on a terminal, which `script` of Linux makes: what it asks, and what it does with the answers. */

describe('questions on a terminal', { skip: process.platform !== 'linux' && 'script is another command here' }, () => {
  const { home, remove } = temporaryHome()
  const urls = Object.fromEntries(
    ['SHOP', 'TILL', 'LAKE'].map((name) => [`${name}_DATABASE_URL`, `sqlite:${join(home, `${name}.db`)}`]),
  )
  let lake: DatabaseSync

  /** Types an answer at each question, Ctrl-C as `\x03`, the end of the input as `\x04`. */
  async function onTerminal(args: readonly string[], answers: readonly string[]) {
    const command = [process.execPath, join(packageFolder, 'cli/dray.ts'), ...args].map((word) => `'${word}'`).join(' ')
    const child: ChildProcess = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], {
      cwd: fixtureFolder,
      env: { ...process.env, HOME: home, DRAY_HOME: home, NO_COLOR: '1', ...urls },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const left = [...answers]
    let output = ''
    let asked = 0
    child.stdout?.on('data', (data: Buffer) => {
      output += data
      const questions = output.split('[y/N]').length - 1
      for (; asked < questions; asked += 1) child.stdin?.write(left.shift() ?? '\x04')
    })
    const [code] = await once(child, 'close')
    return { code, output: output.replaceAll('\r\n', '\n'), asked }
  }

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
