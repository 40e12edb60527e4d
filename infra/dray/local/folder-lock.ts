import { DatabaseSync } from 'node:sqlite'
import { makePrivateFile } from './private-files.ts'

/** SQLITE_BUSY, https://sqlite.org/rescode.html#busy */
const BUSY = 5

export interface FolderLock {
  release(): void
}

/**
 * Takes a lock that the operating system drops with the process, whatever ends it; null when another process has it.
 * It is SQLite's own file lock, since Node has none.
 */
export function takeFolderLock(file: string): FolderLock | null {
  makePrivateFile(file)
  const database = new DatabaseSync(file)
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === BUSY) return null
    throw error
  }
  return {
    release() {
      if (database.isOpen) database.close()
    },
  }
}
