import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the process that keeps the emulator says of itself, for the commands that use it. */
export interface EmulatorFile {
  readonly pid: number
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

/** Null when there is none, or it cannot be read. */
export function readEmulatorFile(home: string): EmulatorFile | null {
  try {
    return JSON.parse(readFileSync(emulatorFile(home), 'utf8')) as EmulatorFile
  } catch {
    return null
  }
}
