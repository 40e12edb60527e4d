import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { installMariaDB } from './mariadb-package.ts'
import {
  borrowed,
  type MysqlServerOptions,
  startProcess,
  type TestMysqlServer,
  type UnavailableServer,
} from './mysql-process.ts'

/**
 * A MariaDB server for tests: databases of TEST_MARIADB_URL, which `stop` drops again, or else a private `mariadbd` in
 * a temporary folder, which ends with this process however that ends. Installs Debian's package when it is missing and
 * that is asked for, unless TEST_MARIADB_UNAVAILABLE says why that was in vain.
 */
export async function startMariaDB(options: MysqlServerOptions = {}): Promise<TestMysqlServer | UnavailableServer> {
  const url = process.env.TEST_MARIADB_URL
  if (url && !options.arguments) return borrowed(url)
  const { TEST_MARIADB_UNAVAILABLE: unavailable } = process.env
  if (unavailable) return { unavailable }
  let server = findProgram('mariadbd')
  if (!server) {
    const refusal = await installMariaDB()
    server = findProgram('mariadbd')
    if (!server) return { unavailable: refusal ?? 'The package mariadb-server was installed, but has no mariadbd.' }
  }
  const installer = findProgram('mariadb-install-db')
  if (!installer) return { unavailable: `There is a mariadbd, but no mariadb-install-db beside it.` }
  return own(server, installer, options)
}

/** A server that starts removes the temporary tables that it finds in its folder for them, another server's as well. */
const temporaryOf = (folder: string) => `--tmpdir=${join(folder, 'tmp')}`

const SMALL = [
  '--innodb-data-file-path=ibdata1:4M:autoextend',
  '--innodb-flush-log-at-trx-commit=0',
  '--skip-name-resolve',
]

async function own(server: string, installer: string, options: MysqlServerOptions): Promise<TestMysqlServer> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-mariadb-'))
  await chmod(folder, 0o777)
  await mkdir(join(folder, 'tmp'))
  await chmod(join(folder, 'tmp'), 0o777)
  const user = process.getuid?.() === 0 ? ['--user=mysql'] : []
  try {
    await initialise(installer, folder, user)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  const data = `--datadir=${join(folder, 'data')}`
  const command = [server, '--no-defaults', data, temporaryOf(folder), ...user, ...SMALL]
  return startProcess({ folder, command, systemTimeZone: options.systemTimeZone }, [
    '--innodb-log-file-size=192M',
    ...(options.arguments ?? []),
  ])
}

async function initialise(installer: string, folder: string, user: readonly string[]): Promise<void> {
  const child = spawn(
    installer,
    [
      '--no-defaults',
      `--datadir=${join(folder, 'data')}`,
      temporaryOf(folder),
      ...user,
      ...SMALL,
      '--innodb-log-file-size=8M',
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`mariadb-install-db ended with ${code}:\n${output}`)
}

function findProgram(name: string): string | undefined {
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/bin',
    '/usr/local/sbin',
    '/usr/local/bin',
  ]
  const more = ['/usr/local/mysql/bin', '/opt/homebrew/bin', '/usr/libexec']
  return [...folders, ...more].map((folder) => join(folder, name)).find((path) => existsSync(path))
}
