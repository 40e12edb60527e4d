import { execFile } from 'node:child_process'
import { lstat, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { promisify } from 'node:util'
import { type Account, giveTo } from './account.ts'

const ELSEWHERE = '/var/tmp'

/** Root may keep the project where the server's account cannot go: then the data lies elsewhere, behind a link. */
export async function linkedFolder(folder: string, account: Account | null): Promise<string> {
  await removeOrphans(folder, account)
  const place = await mkdtemp(join(ELSEWHERE, 'dray-data-'))
  await writeFile(join(place, 'linked-from'), folder)
  await giveTo(account, place)
  await symlink(place, folder)
  return place
}

/**
 * Removes the data that this folder has had, and that whose project was in the folder for temporary files and is there
 * no more. It is the account's, so the account removes it: it can take away nothing but its own.
 */
async function removeOrphans(folder: string, account: Account | null): Promise<void> {
  for (const name of await readdir(ELSEWHERE)) {
    if (!/^dray-data-\w{6}$/.test(name)) continue
    const place = join(ELSEWHERE, name)
    const project = await readFile(join(place, 'linked-from'), 'utf8').catch(() => '')
    const temporary = project.startsWith(tmpdir() + sep)
    const isLeft = project === folder || (temporary && !(await lstat(project).catch(() => null)))
    if (!isLeft) continue
    await promisify(execFile)('rm', ['-rf', place], { ...account, cwd: '/' }).catch(() => undefined)
  }
}
