import { closeSync, constants, lstatSync, openSync, statSync } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { ConfigurationError } from 'dray/internal/errors.ts'

/** Makes a file for its user alone, unless it is there. A link in its place is refused: it would lead elsewhere. */
export function makePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    if (!lstatSync(path).isSymbolicLink()) return
    throw new ConfigurationError(`${path} is a link, so it was not opened: it may lead to a file of others; remove it.`)
  }
}

/** Opens a file to be written from its start, never through a link. */
export function openPrivateFile(path: string): number {
  const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants
  return openSync(path, O_CREAT | O_NOFOLLOW | O_TRUNC | O_WRONLY, 0o600)
}

/** Lets everybody run a file; a link to one is an error. */
export async function makeExecutable(path: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const { mode } = await file.stat()
    if ((mode & 0o555) !== 0o555) await file.chmod(mode | 0o555)
  } finally {
    await file.close()
  }
}

/** Whether a path, and where it leads if it is a link, are this user's and not open to everybody. */
export function isOnesOwn(path: string): boolean {
  const user = process.getuid?.()
  // Windows knows no such owners.
  if (user === undefined) return true
  const found = statSync(path)
  return lstatSync(path).uid === user && found.uid === user && (found.mode & 0o002) === 0
}

/** Whether a path is a folder of this user that nobody else can write to. */
export async function isOwnFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null)
  if (!found?.isDirectory()) return false
  return found.uid === process.getuid?.() && (found.mode & 0o022) === 0
}
