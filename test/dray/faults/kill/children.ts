import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { Ended } from './run-here.ts'

export interface ChildEnd {
  /** `SIGKILL` when it came to its point. */
  readonly signal: NodeJS.Signals | null
  /** The exit code that `dray run` would have. */
  readonly code: number | null
  /** The name of the point at which it ended, or empty. */
  readonly point: string
  /** How the run ended, when it did. */
  readonly ended: Ended | null
  /** The points of the whole run, when it ended. */
  readonly points: readonly string[]
}

export interface Child {
  readonly runId: string
  readonly process: ChildProcess
  /** Resolves when it has read its code. */
  readonly ready: Promise<void>
  /** Starts the run, a usual one unless told; resolves when the process has ended. */
  go(mode?: RunMode | null): Promise<ChildEnd>
  /** The point at which it stopped itself by SIGSTOP. */
  readonly paused: Promise<string>
}

/** Starts a process that waits to be told to run. */
export function startChild(options: { readonly runId: string } & Readonly<Record<string, unknown>>): Child {
  const process_ = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { ...process.env, DRAY_KILL: JSON.stringify(options) },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  let end: { ended: Ended; points: string[] } | null = null
  let said = ''
  const paused = Promise.withResolvers<string>()
  const ready = Promise.withResolvers<void>()
  paused.promise.catch(() => {})
  ready.promise.catch(() => {})
  process_.stdout?.on('data', (data) => {
    said += data
    const [, point] = /^paused (.*)\n/.exec(said) ?? []
    if (point !== undefined) paused.resolve(untilStopped(process_.pid as number).then(() => point))
  })
  process_.on('message', (message: { ready?: true; ended?: Ended; points?: string[] }) => {
    if (message.ready) ready.resolve()
    if (message.ended) end = { ended: message.ended, points: message.points ?? [] }
  })
  const closed = once(process_, 'close').then(([code, signal]) => {
    const early = new Error(`the child ended with ${signal ?? code}: ${said}`)
    ready.reject(early)
    paused.reject(early)
    return {
      signal: signal as NodeJS.Signals | null,
      code: code as number | null,
      point: said.trim(),
      ended: end?.ended ?? null,
      points: end?.points ?? [],
    }
  })
  return {
    runId: options.runId,
    process: process_,
    ready: ready.promise,
    paused: paused.promise,
    async go(mode = null) {
      await ready.promise
      process_.send({ mode })
      return closed
    },
  }
}

/** Resolves when the process is stopped: it says so just before it is. */
async function untilStopped(pid: number): Promise<void> {
  for (const patience = Date.now() + 20_000; Date.now() < patience; await delay(5)) {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=', '-p', String(pid)])
    if (stdout.startsWith('T')) return
  }
  throw new Error(`the process ${pid} was not stopped within 20 s`)
}
