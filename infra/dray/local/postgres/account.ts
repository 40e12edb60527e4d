import { lchown, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigurationError } from 'dray/internal/errors.ts'

/** The system user that PostgreSQL runs as, where it may not run as the current one. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/**
 * PostgreSQL refuses to run as root: then the server runs as the user `postgres`, or `nobody` where there is none.
 * Null: run it as the current user.
 */
export async function serverAccount(): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null
  const users = await readFile('/etc/passwd', 'utf8')
  for (const name of ['postgres', 'nobody']) {
    const fields = users
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':')
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  throw new ConfigurationError(
    'PostgreSQL refuses to run as root and this machine has neither a user `postgres` nor `nobody`; run as another user.',
  )
}

/** Whether every folder above `path` lets the account pass. */
export async function canReach(account: Account | null, path: string): Promise<boolean> {
  if (!account) return true
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = await stat(folder)
    const pass = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
    if ((mode & pass) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

/** Whether a folder is the account's, and not one that somebody else has put there. */
export async function belongsTo(account: Account | null, path: string): Promise<boolean> {
  return account === null || (await stat(path)).uid === account.uid
}

export async function giveTo(account: Account | null, path: string): Promise<void> {
  if (account) await lchown(path, account.uid, account.gid)
}
