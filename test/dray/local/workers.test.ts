import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, it } from 'node:test'
import { createWorkers, type Workers, type WorkersOptions } from 'dray-infra/internal/local/workers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dray-workers-'))
const open: Workers[] = []

function workers(options: WorkersOptions = {}): Workers {
  const created = createWorkers({ size: 1, ...options })
  open.push(created)
  return created
}

function call(name: string, payload: unknown = {}, signal?: AbortSignal) {
  const file = join(import.meta.dirname, 'fixtures/handlers', `${name}.ts`)
  return { file, functionName: name, payload, timeoutSeconds: 60, signal }
}

/** An empty file and a promise of the first line in it. */
function diary(name: string): { file: string; lines: () => string[]; first: Promise<unknown> } {
  const file = join(folder, name)
  writeFileSync(file, '')
  const watcher = watch(file)
  const first = once(watcher, 'change').then(() => watcher.close())
  return { file, first, lines: () => readFileSync(file, 'utf8').trim().split('\n') }
}

describe('workers', () => {
  afterEach(() => Promise.all(open.splice(0).map((created) => created.close())))
  after(() => rmSync(folder, { recursive: true }))

  it('calls the handler of a file as Lambda would', async () => {
    const output = (await workers().invoke(call('echo', { id: 1, lost: undefined }))) as Record<string, unknown>

    assert.deepEqual(output.event, { id: 1 })
    assert.equal(output.functionName, 'echo')
    assert.ok((output.remaining as number) > 59_000 && (output.remaining as number) <= 60_000)
  })

  it('keeps modules warm between calls of one thread', async () => {
    const pool = workers()

    await pool.invoke(call('echo'))
    const second = (await pool.invoke(call('echo'))) as { calls: number }

    assert.equal(second.calls, 2)
  })

  it('spreads calls that are made at once over its threads and queues the rest', async () => {
    const pool = workers({ size: 2 })

    const outputs = await Promise.all([1, 2, 3, 4, 5, 6].map((id) => pool.invoke(call('echo', id))))

    assert.deepEqual(
      outputs.map((output) => (output as { event: number }).event),
      [1, 2, 3, 4, 5, 6],
    )
    assert.equal(new Set(outputs.map((output) => (output as { threadId: number }).threadId)).size, 2)
  })

  it('rejects with the name, message and stack of the error in the handler', async () => {
    await assert.rejects(workers().invoke(call('fail')), (error: Error) => {
      assert.equal(error.name, 'Terminal')
      assert.equal(error.message, 'the table is missing')
      assert.match(error.stack ?? '', /fail\.ts/)
      return true
    })
  })

  it('hands lines that handlers print to the log, not to stdout', async () => {
    const lines: string[] = []
    const pool = workers({ onLog: (line) => lines.push(line) })

    await pool.invoke(call('echo'))
    await pool.close()

    assert.deepEqual(lines, ['{"message":"called","calls":1}'])
  })

  it('fires the signal of the handler, and is idle when the handler has rolled back', async () => {
    const notes = diary('abort')
    const progress: unknown[] = []
    const pool = workers({ onProgress: (event) => progress.push(event) })
    const controller = new AbortController()
    const result = pool.invoke(call('wait', { file: notes.file }, controller.signal))
    await notes.first

    controller.abort(new Error('interrupted'))

    await assert.rejects(result, /interrupted/)
    await pool.idle()
    assert.deepEqual(notes.lines(), ['started', 'rolled back: interrupted'])
    assert.deepEqual(progress, [{ type: 'progress', pipeline: 'p', partition: 1, phase: 'load', rows: 7 }])
  })

  it('ends the thread of a handler that ignores the signal, and serves the next call with a new one', async () => {
    const notes = diary('stubborn')
    const pool = workers({ graceMs: 20 })
    const controller = new AbortController()
    const result = pool.invoke(call('wait', { file: notes.file, stubborn: true }, controller.signal))
    await notes.first

    controller.abort(new Error('timeout'))
    await assert.rejects(result, /timeout/)
    await pool.idle()
    const next = (await pool.invoke(call('echo'))) as { calls: number }

    assert.deepEqual(notes.lines(), ['started'])
    assert.equal(next.calls, 1)
  })

  it('does not wait for the grace once it is told to hurry', async () => {
    const notes = diary('hurry')
    const pool = workers({ graceMs: 600_000 })
    const controller = new AbortController()
    const result = pool.invoke(call('wait', { file: notes.file, stubborn: true }, controller.signal))
    await notes.first
    controller.abort(new Error('interrupted'))
    await assert.rejects(result)

    pool.hurry()

    await pool.idle()
  })

  it('drops a queued call when its signal fires and never calls its handler', async () => {
    const first = diary('first')
    const second = diary('second')
    const pool = workers()
    const held = new AbortController()
    const queued = new AbortController()
    const running = pool.invoke(call('wait', { file: first.file }, held.signal))
    const waiting = pool.invoke(call('wait', { file: second.file }, queued.signal))
    await first.first

    queued.abort(new Error('not needed'))
    await assert.rejects(waiting, /not needed/)
    held.abort(new Error('done'))
    await assert.rejects(running)
    await pool.idle()

    assert.deepEqual(second.lines(), [''])
  })

  it('turns a thread that dies into a transient error of its call and goes on', async () => {
    const pool = workers()

    await assert.rejects(pool.invoke(call('exit')), { name: 'Transient' })

    assert.equal(((await pool.invoke(call('echo'))) as { calls: number }).calls, 1)
  })

  describe('with handlers that need no thread', () => {
    const here = (options: WorkersOptions = {}) => workers({ isHere: (file) => !file.endsWith('exit.ts'), ...options })

    it('calls them in the thread that asks, and starts none', async () => {
      const pool = here()
      pool.warm([call('echo').file], false)

      const output = (await pool.invoke(call('echo', { id: 1 }))) as { event: unknown; threadId: number }

      assert.deepEqual(output.event, { id: 1 })
      assert.equal(output.threadId, 0)
    })

    it('hands what they print to the log, and not what this thread prints meanwhile', async () => {
      const lines: string[] = []
      const pool = here({ onLog: (line) => lines.push(line) })

      const called = pool.invoke(call('echo'))
      process.stdout.write('# of this thread\n')
      await called

      assert.match(lines.join(), /^\{"message":"called","calls":\d+\}$/)
    })

    it('works on one of them at a time here, and on the next in a thread', async () => {
      const pool = here({ size: 2 })

      const outputs = await Promise.all([1, 2].map((id) => pool.invoke(call('echo', id))))

      const threads = outputs.map((output) => (output as { threadId: number }).threadId)
      assert.equal(threads[0], 0)
      assert.notEqual(threads[1], 0)
    })

    it('counts them among the calls at once', async () => {
      const notes = diary('counted')
      const pool = here()
      const controller = new AbortController()
      const held = pool.invoke(call('wait', { file: notes.file }, controller.signal))
      await notes.first

      const next = pool.invoke(call('exit'))
      controller.abort(new Error('done'))

      await assert.rejects(held, /done/)
      await assert.rejects(next, { name: 'Transient' })
      assert.deepEqual(notes.lines(), ['started', 'rolled back: done'])
    })

    it('leaves one that ignores the signal behind, and calls the next in a thread', async () => {
      const notes = diary('left')
      const pool = here({ graceMs: 20 })
      const controller = new AbortController()
      const result = pool.invoke(call('wait', { file: notes.file, stubborn: true }, controller.signal))
      await notes.first

      controller.abort(new Error('timeout'))
      await assert.rejects(result, /timeout/)
      await pool.idle()
      const next = (await pool.invoke(call('echo'))) as { threadId: number }

      assert.notEqual(next.threadId, 0)
    })

    it('rejects with the name and message of their errors', async () => {
      await assert.rejects(here().invoke(call('fail')), { name: 'Terminal', message: 'the table is missing' })
    })
  })
})
