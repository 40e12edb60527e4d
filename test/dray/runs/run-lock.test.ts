import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { isWorkedOn, takeRunLock } from 'dray-infra/internal/runs/run-lock.ts'

const home = mkdtempSync(join(tmpdir(), 'dray-run-lock-'))
const runner = (pid: number | undefined) => `local:${hostname()}:${pid}`

/** A process that works on a run until it is told to end; its parent never looks at it, so it is a zombie then. */
async function worker(id: string) {
  const script = `
    import { takeRunLock } from 'dray-infra/internal/runs/run-lock.ts'
    globalThis.lock = takeRunLock(${JSON.stringify(home)}, ${JSON.stringify(id)})
    console.log(process.pid)
    process.stdin.resume().on('end', () => process.exit(1))`
  const parent = spawn('sh', ['-c', '"$0" --input-type=module -e "$1" <&3 & exec sleep 60', process.execPath, script], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  })
  const [pid] = await once(parent.stdout as NodeJS.ReadableStream, 'data')
  return { parent, pid: Number(pid), end: () => (parent.stdio[3] as NodeJS.WritableStream).end() }
}

describe('the lock of a run', () => {
  after(() => rmSync(home, { recursive: true }))

  it('says that its process is at work, and that it is not when that has ended, though its number is still taken', async () => {
    const { parent, pid, end } = await worker('r1')
    const run = { id: 'r1', runner: runner(pid) }
    const before = isWorkedOn(run, home)

    end()
    while (isWorkedOn(run, home)) await new Promise((resolve) => setTimeout(resolve, 10))
    const isTaken = process.kill(pid, 0)

    parent.kill('SIGKILL')
    assert.equal(before, true)
    assert.equal(isTaken, true)
  })

  it('is no proof once it is given back, whoever has the number of its process', () => {
    const run = { id: 'r2', runner: runner(process.ppid) }
    const lock = takeRunLock(home, 'r2')
    const held = isWorkedOn(run, home)

    lock.release()

    assert.equal(held, true)
    assert.equal(isWorkedOn({ ...run, runner: runner(process.pid) }, home), false)
  })

  it('of a name that would lead out of the folder is refused', () => {
    for (const id of ['../r1', 'a/b', '..', '', '.', 'r\0', 'r'.repeat(101)]) {
      const refused = { name: 'Configuration', message: /is not the name of a run/ }
      assert.throws(() => takeRunLock(home, id), refused)
      assert.throws(() => isWorkedOn({ id, runner: runner(process.ppid) }, home), refused)
    }
  })

  it('of a run that another version has started is the number of its process', () => {
    assert.equal(isWorkedOn({ id: 'older', runner: runner(process.ppid) }, home), true)
    assert.equal(isWorkedOn({ id: 'older', runner: runner(2 ** 22) }, home), false)
  })
})
