import { AsyncLocalStorage } from 'node:async_hooks'
import { answering } from './handler-calls.ts'
import type { ThreadEvents, ThreadPort } from './handler-thread.ts'

/*
 * Most runs find little to do, and a thread for it would take longer to start than the work takes. Plan, Commit and
 * their like wait for databases, so that they need no thread besides the command's.
 */

/** Takes the lines that a handler writes, which the command's own output is not. */
const lines = new AsyncLocalStorage<(text: string) => void>()
let isDiverting = false

/** Calls handlers in the thread of the command; one that is ended is no longer listened to. */
export function herePort({ onMessage, onEnd, onLog }: ThreadEvents): ThreadPort {
  let isOpen = true
  const answer = answering((message) => {
    // Who hears of it writes to the terminal.
    if (isOpen) lines.exit(() => onMessage(message))
  })
  const sink = lineSink((line) => {
    if (isOpen) lines.exit(() => onLog?.(line))
  })
  divertOutput()
  return {
    post(message) {
      lines.run(sink, () => void answer(message))
    },
    async terminate() {
      if (!isOpen) return
      isOpen = false
      onEnd()
    },
  }
}

function lineSink(onLine: (line: string) => void): (text: string) => void {
  let rest = ''
  return (text) => {
    const found = (rest + text).split('\n')
    rest = found.pop() as string
    for (const line of found) onLine(line)
  }
}

/** What is written within a call goes to its log. */
function divertOutput(): void {
  if (isDiverting) return
  isDiverting = true
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (...given: unknown[]) => boolean
    stream.write = ((...given: unknown[]) => {
      const sink = lines.getStore()
      if (sink === undefined) return write(...given)
      const [chunk] = given
      sink(typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString())
      const done = given.findLast((one) => typeof one === 'function') as (() => void) | undefined
      if (done !== undefined) queueMicrotask(done)
      return true
    }) as typeof stream.write
  }
}
