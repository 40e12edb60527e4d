import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { giveTo, serverAccount } from 'dray-infra/internal/local/postgres/account.ts'
import { withInstallLock } from './install-lock.ts'
import { type UnpackedMysql, unpackMysql } from './mysql-package.ts'
import {
  borrowed,
  type MysqlServerOptions,
  startProcess,
  type TestMysqlServer,
  type UnavailableServer,
} from './mysql-process.ts'

const run = promisify(execFile)

/**
 * A MySQL server for tests: databases of TEST_MYSQL_URL, which `stop` drops again, or else a private `mysqld` in a
 * temporary folder, which ends with this process however that ends. Downloads it when it is missing and that is asked
 * for, unless TEST_MYSQL_UNAVAILABLE says why that was in vain.
 */
export async function startMySQL(options: MysqlServerOptions = {}): Promise<TestMysqlServer | UnavailableServer> {
  const { TEST_MYSQL_URL: url, TEST_MYSQL_UNAVAILABLE: unavailable } = process.env
  if (url && !options.arguments) return borrowed(url)
  if (unavailable) return { unavailable }
  const mysql = await unpackMysql()
  return typeof mysql === 'string' ? { unavailable: `MySQL: ${mysql}` } : own(mysql, options)
}

async function own(mysql: UnpackedMysql, options: MysqlServerOptions): Promise<TestMysqlServer> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-mysql-'))
  try {
    await chmod(folder, 0o777)
    await mkdir(join(folder, 'tmp'))
    await chmod(join(folder, 'tmp'), 0o777)
    await run('cp', ['-a', await newFiles(mysql), join(folder, 'data')])
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  const command = [...(await commandOf(mysql, join(folder, 'data'))), `--tmpdir=${join(folder, 'tmp')}`]
  return startProcess({ folder, command, systemTimeZone: options.systemTimeZone }, [
    '--mysqlx=OFF',
    '--sync-binlog=0',
    '--innodb-redo-log-capacity=256M',
    ...(options.arguments ?? []),
  ])
}

async function commandOf({ base, mysqld }: UnpackedMysql, data: string): Promise<string[]> {
  const account = await serverAccount()
  return [
    ...mysqld,
    '--no-defaults',
    ...(account === null ? [] : [`--user=${account.uid}`]),
    `--datadir=${data}`,
    `--basedir=${base}`,
    `--lc-messages-dir=${join(base, 'share/mysql')}`,
    `--plugin-dir=${join(base, 'lib/mysql/plugin')}`,
    '--secure-file-priv=',
    '--innodb-data-file-path=ibdata1:5M:autoextend',
  ]
}

/** The files of a server that has just been made, to be copied: to make them takes longer than to start over them. */
function newFiles(mysql: UnpackedMysql): Promise<string> {
  return withInstallLock('mysql-data', async () => {
    const data = join(mysql.cache, 'data')
    if (existsSync(data)) return data
    const unfinished = `${data}.${process.pid}`
    await mkdir(unfinished, { mode: 0o750 })
    await giveTo(await serverAccount(), unfinished)
    const [loader = '', ...parameters] = await commandOf(mysql, unfinished)
    await run(loader, [...parameters, '--initialize-insecure', '--innodb-redo-log-capacity=32M', '--disable-log-bin'])
    // Each server has a name of its own.
    await rm(join(unfinished, 'auto.cnf'))
    await rename(unfinished, data)
    return data
  })
}
