import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** What the server writes to `postmaster.pid` in its data folder. */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly ready: boolean
}

export async function readPostmaster(data: string): Promise<Postmaster | null> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => null)
  if (!text) return null
  const lines = text.split('\n')
  return { pid: Number(lines[0]), port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * Stops a server that has lost its guard and removes the lock file of one that was killed. The server itself
 * mistakes any process that has got the same number since for its predecessor.
 */
export async function clearRemains(data: string): Promise<void> {
  const left = await readPostmaster(data)
  if (!left) return
  if (isAlive(left.pid) && (await isPostgres(left.pid))) await stopProcess(left.pid)
  await rm(join(data, 'postmaster.pid'), { force: true })
}

/** Asks for a fast shutdown, after 15 s for an immediate one, and waits for the end. */
async function stopProcess(pid: number): Promise<void> {
  signal(pid, 'SIGINT')
  const impatientAt = Date.now() + 15_000
  for (let asked = false; isAlive(pid); await sleep(10)) {
    if (asked || Date.now() < impatientAt) continue
    signal(pid, 'SIGQUIT')
    asked = true
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function isPostgres(pid: number): Promise<boolean> {
  if (process.platform !== 'linux') return true
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return /(^|\/)postgres\0/.test(command)
}
