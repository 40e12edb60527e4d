import { createHash } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { type Account, giveTo } from './account.ts'

const ELSEWHERE = '/var/tmp'

/** Root may keep the project where the server's account cannot go: then the data lies elsewhere, behind a link. */
export async function linkedFolder(folder: string, account: Account | null): Promise<string> {
  await removeOrphans()
  const place = join(ELSEWHERE, `dray-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`)
  // What a project that was removed has left at the same path is not this one's.
  await rm(place, { recursive: true, force: true })
  await mkdir(place, { mode: 0o700 })
  await writeFile(join(place, 'linked-from'), folder)
  await giveTo(account, place)
  await symlink(place, folder)
  return place
}

/** Removes the data whose project was in the folder for temporary files and is there no more. */
async function removeOrphans(): Promise<void> {
  for (const name of await readdir(ELSEWHERE)) {
    if (!/^dray-[0-9a-f]{16}$/.test(name)) continue
    const place = join(ELSEWHERE, name)
    const project = await readFile(join(place, 'linked-from'), 'utf8').catch(() => '')
    const temporary = project.startsWith(tmpdir() + sep)
    if (temporary && !(await lstat(project).catch(() => null))) await rm(place, { recursive: true, force: true })
  }
}
