import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { ConfigurationError, TerminalError } from 'dray/internal/errors.ts'
import { type Account, belongsTo, canReach, giveTo } from './account.ts'
import type { PostgresBinaries } from './binaries.ts'
import { linkedFolder } from './linked-folder.ts'

/** Makes the folder that holds everything of one server; returns its real path. */
export async function serverFolder(path: string, account: Account | null): Promise<string> {
  const folder = resolve(path)
  const found = await realpath(folder).catch(() => null)
  if (found && (await canReach(account, join(found, 'data'))) && (await belongsTo(account, found))) return found
  if (found && (await readdir(found)).length > 0) {
    throw new ConfigurationError(
      `PostgreSQL cannot run as root, and the user that it runs as cannot reach ${found}, or does not own it; its data is left as it is. ` +
        'Let others pass through the folders above it (chmod o+x), or move it away to start with an empty database.',
    )
  }
  await rm(folder, { recursive: true, force: true })
  await mkdir(dirname(folder), { recursive: true })
  if (!(await canReach(account, folder))) return linkedFolder(folder, account)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await giveTo(account, folder)
  return folder
}

/** Runs initdb unless it has run; the machine's locale and time zone play no part. */
export async function ensureCluster(
  folder: string,
  binaries: PostgresBinaries,
  account: Account | null,
): Promise<void> {
  const data = join(folder, 'data')
  const version = await readFile(join(data, 'PG_VERSION'), 'utf8').catch(() => null)
  if (version === null) return initialise(folder, binaries, account)
  if (version.trim() !== binaries.majorVersion) {
    throw new ConfigurationError(
      `${data} was made by PostgreSQL ${version.trim()}, but the installed one is ${binaries.majorVersion}; ` +
        `its data is left as it is. Move ${folder} away to start with an empty database.`,
    )
  }
}

async function initialise(folder: string, { initdb }: PostgresBinaries, account: Account | null): Promise<void> {
  const unfinished = join(folder, 'data.unfinished')
  const password = join(folder, 'password')
  await rm(unfinished, { recursive: true, force: true })
  await rm(join(folder, 'data'), { recursive: true, force: true })
  await rm(password, { force: true })
  await writeFile(password, randomBytes(18).toString('base64url'), { mode: 0o600, flag: 'wx' })
  await giveTo(account, password)
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const access = ['--username=postgres', `--pwfile=${password}`, '--auth=scram-sha-256']
  await promisify(execFile)(
    initdb,
    [`--pgdata=${unfinished}`, ...locale, ...access, '--set=timezone=UTC', '--no-sync', '--no-instructions'],
    { ...account, cwd: '/', env: serverEnvironment() },
  ).catch((error: Error & { readonly stderr?: string }) => {
    throw new TerminalError(whyNotMade(folder, error.stderr || error.message), { cause: error })
  })
  await rename(unfinished, join(folder, 'data'))
}

function whyNotMade(folder: string, said: string): string {
  const fault = /(?:FATAL|ERROR|PANIC|error): +(.*)/.exec(said)?.[1] ?? said.trim()
  const remedy = /No space left/i.test(fault)
    ? 'Free 60 MB there, or name a folder on another disk with DRAY_HOME'
    : 'Mend that, or bind each database to a server of yours with <NAME>_DATABASE_URL'
  return `the embedded PostgreSQL could not make its files in ${folder} (${fault}), so nothing was run. ${remedy}.`
}

export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
}

export async function serverPassword(folder: string): Promise<string> {
  return (await readFile(join(folder, 'password'), 'utf8')).trim()
}

/** The end of the server's log, for messages. */
export async function logTail(log: string): Promise<string> {
  const { size } = await stat(log)
  const text = await readFile(log, 'utf8')
  return text.slice(-Math.min(size, 2000)).trim()
}
