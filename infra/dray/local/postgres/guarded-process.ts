import { type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { openPrivateFile } from '../private-files.ts'
import type { Account } from './account.ts'
import { serverEnvironment } from './cluster.ts'

export interface GuardedProcess {
  /** Resolves when the process has ended, for whatever reason. */
  readonly ended: Promise<void>
  /** Asks for a fast shutdown, after 15 s for an immediate one, and waits for the end. */
  stop(): Promise<void>
}

/**
 * Runs "$@" until it ends by itself or nobody holds the other end of stdin any more, be it that the holder was killed.
 */
const GUARD = `
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
trap 'kill -INT $server' INT HUP
trap 'kill -QUIT $server' TERM
( trap - TERM INT HUP; read -r _ <&3; kill -INT $server ) &
watcher=$!
while kill -0 $server 2>/dev/null; do wait $server; done
kill $watcher 2>/dev/null
`

/** Starts a PostgreSQL that cannot outlive this process; its output goes to the file `log`. */
export function startGuarded(command: readonly string[], account: Account | null, log: string): GuardedProcess {
  const logFile = openPrivateFile(log)
  const options: SpawnOptions = {
    ...account,
    // Its own session: Ctrl-C in the terminal must not take the database from under a run that ends cleanly.
    detached: true,
    cwd: '/',
    env: serverEnvironment(),
    stdio: ['pipe', logFile, logFile],
  }
  const child = spawn('/bin/sh', ['-c', GUARD, 'guard', ...command], options)
  closeSync(logFile)
  const ended = once(child, 'exit').then(() => {})
  child.unref()
  return {
    ended,
    async stop() {
      child.ref()
      const impatience = setTimeout(() => child.kill('SIGTERM'), 15_000)
      child.stdin?.destroy()
      await ended
      clearTimeout(impatience)
    },
  }
}
