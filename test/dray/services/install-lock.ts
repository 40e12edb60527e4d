import { mkdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const STALE_MILLISECONDS = 10 * 60_000

/** One test file at a time installs a thing that all of them ask for. */
export async function withInstallLock<T>(what: string, work: () => Promise<T>): Promise<T> {
  const lock = join(tmpdir(), `dray-${what}-install.lock`)
  while (!(await takeLock(lock))) await delay(200)
  try {
    return await work()
  } finally {
    await rm(lock, { recursive: true, force: true })
  }
}

async function takeLock(lock: string): Promise<boolean> {
  try {
    await mkdir(lock)
    return true
  } catch {
    const age = Date.now() - (await stat(lock).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs
    if (age > STALE_MILLISECONDS) await rm(lock, { recursive: true, force: true })
    return false
  }
}
