import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { openLog, pruneLogs } from 'dray-infra/internal/runs/run-log.ts'

const folder = mkdtempSync(join(tmpdir(), 'dray-run-log-'))
const noDevFull = process.platform === 'linux' ? false : 'only Linux has a device that is always full'

describe('the log of a run', () => {
  after(() => rmSync(folder, { recursive: true }))

  it('has each line when it has ended', async () => {
    const file = join(folder, 'lines')
    const log = openLog(file, assert.fail)

    for (let line = 0; line < 10_000; line++) log.write(`${line}`)
    await log.end()

    assert.equal(readFileSync(file, 'utf8').split('\n').length, 10_001)
  })

  it('is given up with one note where the disk is full, and does not end the run', { skip: noDevFull }, async () => {
    const notes: string[] = []
    const log = openLog('/dev/full', (text) => notes.push(text))

    for (let line = 0; line < 10; line++) {
      log.write(`${line}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await log.end()

    assert.equal(notes.length, 1)
    assert.match(notes[0] ?? '', /not written any more \(ENOSPC.*the run does not need it/)
  })

  it('goes after thirty days, and nothing else in its folder', () => {
    const now = Date.parse('2026-06-01T00:00:00Z')
    for (const name of ['2026-01-01t000000-0000000.jsonl', '2026-05-31t000000-0000000.jsonl', 'services.log']) {
      writeFileSync(join(folder, name), '')
      const written = new Date(name.startsWith('2026-05') ? now - 1000 : now - 31 * 24 * 3600 * 1000)
      utimesSync(join(folder, name), written, written)
    }

    pruneLogs(folder, now)

    assert.deepEqual(readdirSync(folder).sort(), ['2026-05-31t000000-0000000.jsonl', 'lines', 'services.log'])
  })
})
