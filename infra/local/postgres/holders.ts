import { execFile } from 'node:child_process'
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Account } from './account.ts'

/**
 * Who needs the server, counted by the kernel: each process that uses it holds the writing end of a named pipe, a guard
 * reads the other end. The guard sees the end of file when the last holder closes it or dies, however it dies.
 */
export interface Holder {
  /** Lets go; says whether the guard has begun to stop the server, because this was the last holder. */
  release(): Promise<boolean>
  /** Whether the guard still waits at the pipe that this process holds. */
  guarded(): boolean
}

/** Runs "$@" until it ends by itself or the pipe on stdin has no holder any more. */
export const guardScript = `
exec 3<&0 </dev/null
pipe=$1; shift
"$@" 3<&- &
server=$!
trap 'kill -INT $server' TERM INT HUP
( trap - TERM INT HUP; read -r _ <&3; rm -f "$pipe"; kill -INT $server ) &
watcher=$!
wait $server
code=$?
while kill -0 $server 2>/dev/null; do wait $server; code=$?; done
kill $watcher 2>/dev/null
exit $code
`

/** Joins the holders of a server that runs; null when no guard reads the pipe. */
export function joinHolders(pipe: string): Holder | null {
  try {
    return holder(pipe, openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK))
  } catch (error) {
    if (['ENOENT', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}

/** Makes the pipe anew with this process as its first holder; `readEnd` is for the guard's stdin. */
export async function firstHolder(pipe: string, account: Account | null): Promise<{ holder: Holder; readEnd: number }> {
  await rm(pipe, { force: true })
  await promisify(execFile)('mkfifo', ['-m', '600', pipe], { ...account })
  const probe = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  const writeEnd = openSync(pipe, constants.O_WRONLY)
  const readEnd = openSync(pipe, constants.O_RDONLY)
  closeSync(probe)
  return { holder: holder(pipe, writeEnd), readEnd }
}

function holder(pipe: string, writeEnd: number): Holder {
  const { ino } = fstatSync(writeEnd)
  const guarded = () => statSync(pipe, { throwIfNoEntry: false })?.ino === ino
  return {
    guarded,
    async release() {
      closeSync(writeEnd)
      for (const patience = Date.now() + 300; Date.now() < patience; await sleep(5)) if (!guarded()) return true
      return false
    },
  }
}
