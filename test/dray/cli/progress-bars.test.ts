import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { ordersProject } from '#test/services/orders-project.ts'
import { writeProject } from '#test/services/small-project.ts'
import { temporaryHome } from './dray-process.ts'
import { rendered } from './rendered.ts'
import { NO_TERMINAL, onTerminal } from './terminal.ts'

describe('the bars of a run, on a terminal of 80 columns,', { skip: NO_TERMINAL }, () => {
  const { home, remove } = temporaryHome()
  const { folder, remove: removeProject } = writeProject(ordersProject())
  const urls = Object.fromEntries(
    ['till', 'lake'].map((name) => [`${name.toUpperCase()}_DATABASE_URL`, `sqlite:${join(folder, `${name}.db`)}`]),
  )
  before(() => {
    const till = new DatabaseSync(join(folder, 'till.db'))
    till.exec(`create table orders (id integer primary key, name text);
      with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
      insert into orders select i, 'name ' || i from n`)
    till.close()
  })
  after(() => {
    removeProject()
    remove()
  })

  it('leave no rests among the lines that are logged above them, which are whole', async () => {
    const { code, output } = await onTerminal(['run', '--debug'], { home, urls, folder })

    const lines = rendered(output, 80)
    const bars = lines.filter((line) => /[█░]/.test(line))
    assert.equal(code, 0, output)
    assert.deepEqual(
      bars.map((line) => line.trim().split(' ')[0]),
      ['orders', 'mart'],
      lines.join('\n'),
    )
    assert.match(lines.join(''), /orders load 1: succeeded {2}request_id=[0-9a-f-]{36} {2}milliseconds=\d+/)
  })

  it('are not left behind by a run that is refused before its first step', async () => {
    const { code, output } = await onTerminal(['run', 'orders'], {
      home,
      urls: { ...urls, TILL_DATABASE_URL: `sqlite:${join(folder, 'none/till.db')}` },
      folder,
    })

    const lines = rendered(output, 80)
    assert.equal(code, 2, output)
    assert.match(lines.join(' '), /dray: the run would fail, so nothing was started: .*TILL_DATABASE_URL/)
    assert.doesNotMatch(lines.join('\n'), /[█░]|waiting/)
  })

  it('have room for what a step does', async () => {
    const { output } = await onTerminal(['run', 'orders'], { home, urls, folder })

    // The terminal cuts what is longer.
    const frames = output.split('\u001b[1G').map(stripVTControlCharacters)
    const running = frames.filter((frame) => / rows {2}(extract|transform|load) \d of \d/.test(frame))
    assert.ok(running.length > 0, output)
    for (const frame of running) assert.ok(frame.trimEnd().length <= 80, frame)
  })
})
