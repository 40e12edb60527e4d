import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { RunRecord } from 'dray/internal/state/state-store.ts'
import { type FolderLock, takeFolderLock } from '#dray-infra/local/folder-lock.ts'
import { drayHome, fileOfRun, makeHome } from '#dray-infra/local/home.ts'

/** A run that a process of this machine works on. */
export const localRunner = (): string => `local:${hostname()}:${process.pid}`

/** The process that works on a local run; null for a run of another machine, or of AWS. */
export function pidHere({ runner }: Pick<RunRecord, 'runner'>): number | null {
  const [, host, pid] = /^local:(.+):(\d+)$/.exec(runner) ?? []
  return host === hostname() ? Number(pid) : null
}

function lockFile(home: string, id: string): string {
  return fileOfRun(join(home, 'runs'), id, 'lock')
}

/**
 * Says that a run is worked on, as long as this process is there. A number of a process says less: another one may have
 * got it since, and a process that has ended keeps it until its parent looks.
 */
export function takeRunLock(home: string, id: string): FolderLock {
  makeHome(home)
  mkdirSync(join(home, 'runs'), { recursive: true, mode: 0o700 })
  const file = lockFile(home, id)
  const lock = takeFolderLock(file)
  if (lock === null) throw new Error(`Another process works on the run ${id}.`)
  return {
    release() {
      lock.release()
      rmSync(file, { force: true })
    },
  }
}

/** Whether a process of this machine works on a run of it. */
export function isWorkedOn(run: Pick<RunRecord, 'id' | 'runner'>, home: string = drayHome()): boolean {
  const file = lockFile(home, run.id)
  if (!existsSync(file)) return isAlive(pidHere(run))
  const lock = takeFolderLock(file)
  lock?.release()
  return lock === null
}

/** Of a run without a lock: one that another version has started, or a verb that reloads rows. */
function isAlive(pid: number | null): boolean {
  if (pid === null || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
