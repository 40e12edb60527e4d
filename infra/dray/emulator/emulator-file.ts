import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { takeFolderLock } from '#dray-infra/local/folder-lock.ts'

/** The exit code of a process that finds another one keeping the emulator of its folder. */
export const ALREADY_KEPT = 75

/** Said to the process that keeps the emulator: no embedded database of the project is worked with. */
export const NO_DATABASES = 'no-databases'

/** What the process that keeps the emulator says of itself, for the commands that use it. */
export interface EmulatorFile {
  /** The authority that has signed the emulator's certificate. */
  readonly ca: string
  /** The variables of a process that works with it. */
  readonly variables: Readonly<Record<string, string>>
}

export function emulatorFolder(home: string): string {
  return join(home, 'emulated')
}

export function emulatorFile(home: string): string {
  return join(emulatorFolder(home), 'emulator.json')
}

export function emulatorLock(home: string): string {
  return join(emulatorFolder(home), 'emulator.lock')
}

/** The process that keeps the emulator, by its id, from its first moment on. */
export function keeperFile(home: string): string {
  return join(emulatorFolder(home), 'keeper.pid')
}

/** The process that keeps the emulator of a folder: its lock ends with it, and no other process is taken for it. */
export function keeperOf(home: string): number | null {
  const file = emulatorLock(home)
  if (!existsSync(file)) return null
  const lock = takeFolderLock(file)
  lock?.release()
  if (lock !== null || !existsSync(keeperFile(home))) return null
  const pid = Number(readFileSync(keeperFile(home), 'utf8'))
  return Number.isInteger(pid) && pid > 1 ? pid : null
}

/** Null when there is none, or it cannot be read. */
export function readEmulatorFile(home: string): EmulatorFile | null {
  try {
    return JSON.parse(readFileSync(emulatorFile(home), 'utf8')) as EmulatorFile
  } catch {
    return null
  }
}
