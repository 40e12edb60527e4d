import { relative } from 'node:path'
import type { Call, Workers } from '../workers.ts'
import { Instance, type InstanceListeners, type IsolatedFunction } from './instance.ts'

export interface IsolatedWorkersOptions extends InstanceListeners {
  /** The folder that the paths of handlers begin at. */
  readonly project: { readonly folder: string }
  /** By the path of their handler. */
  readonly functions: ReadonlyMap<string, IsolatedFunction>
  /** Calls at once. */
  readonly size: number
  /** Processes that are kept warm for the next call; 8 by default. */
  readonly mostIdle?: number
  /** Awaited before each call, and after each that has succeeded. */
  readonly around?: {
    before?(handler: string): Promise<void>
    after?(handler: string): Promise<void>
  }
}

/**
 * Runs handlers as Lambda does: a process for each concurrent call of a function, kept for the next call of the same
 * function.
 */
export function createIsolatedWorkers(options: IsolatedWorkersOptions): Workers {
  const { project, functions, size, mostIdle = 8, around = {} } = options
  const idle: Instance[] = []
  const alive = new Set<Instance>()
  const running = new Set<Promise<unknown>>()
  const waiting: (() => void)[] = []
  let busy = 0

  async function take(signal: AbortSignal | undefined): Promise<void> {
    if (busy < size) {
      busy += 1
      return
    }
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      const stop = () => {
        waiting.splice(waiting.indexOf(go), 1)
        reject(signal?.reason)
      }
      waiting.push(go)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }

  /** The turn goes to the next in line, or becomes free. */
  function give(): void {
    const next = waiting.shift()
    if (next) next()
    else busy -= 1
  }

  function instanceOf(handler: string): Instance {
    const isolated = functions.get(handler)
    if (!isolated) throw new Error(`${handler} is not a function of the workflows that are deployed.`)
    const place = idle.findLastIndex((instance) => instance.function === isolated && instance.usable)
    if (place >= 0) return idle.splice(place, 1)[0] as Instance
    const instance = new Instance(isolated, options)
    alive.add(instance)
    instance.ended
      .catch(() => undefined)
      .finally(() => {
        alive.delete(instance)
        const at = idle.indexOf(instance)
        if (at >= 0) idle.splice(at, 1)
      })
    return instance
  }

  function keep(instance: Instance): void {
    if (instance.usable) idle.push(instance)
    if (idle.length > mostIdle) void idle.shift()?.kill()
  }

  async function run(call: Call): Promise<unknown> {
    await take(call.signal)
    try {
      call.signal?.throwIfAborted()
      const handler = relative(project.folder, call.file)
      await around.before?.(handler)
      const instance = instanceOf(handler)
      // A Lambda would go on; here its transaction is rolled back, as that of a handler in a thread.
      const stop = () => void instance.kill()
      call.signal?.addEventListener('abort', stop, { once: true })
      try {
        const output = await instance.invoke(call.payload, call.timeoutSeconds)
        await around.after?.(handler)
        return output
      } finally {
        call.signal?.removeEventListener('abort', stop)
        keep(instance)
      }
    } finally {
      give()
    }
  }

  return {
    invoke(call) {
      const work = run(call)
      const tracked: Promise<unknown> = work.catch(() => undefined).finally(() => running.delete(tracked))
      running.add(tracked)
      return work
    },
    // Each start is a cold one, as the first of a day on Lambda.
    warm() {},
    hurry() {},
    async idle() {
      while (running.size > 0) await Promise.all(running)
    },
    async close() {
      await Promise.all([...alive].map((instance) => instance.kill()))
    },
  }
}
