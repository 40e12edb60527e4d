import { startMariaDB } from './mariadb.ts'
import { startMySQL } from './mysql.ts'
import type { MysqlServerOptions, TestMysqlServer, UnavailableServer } from './mysql-process.ts'

/** Whether the suites that speak MySQL run on a real one this time, and those of each engine on it alone. */
export const isRealMysql = process.env.TEST_ENGINE === 'mysql'

/** What the server is called. */
export const MYSQL_NAME = isRealMysql ? 'MySQL' : 'MariaDB'

/** Why there is no such server here, for `skip`. */
export const mysqlUnavailable = isRealMysql ? process.env.TEST_MYSQL_UNAVAILABLE : process.env.TEST_MARIADB_UNAVAILABLE

/** Why a suite of another engine does not run this time, for `skip`. */
export const othersSkipped = isRealMysql ? 'this run is about MySQL' : undefined

/** MariaDB or MySQL, as this run has it. */
export function findMysqlServer(options: MysqlServerOptions = {}): Promise<TestMysqlServer | UnavailableServer> {
  return isRealMysql ? startMySQL(options) : startMariaDB(options)
}

/** As `findMysqlServer`; throws where there is none. */
export async function startMysqlServer(options: MysqlServerOptions = {}): Promise<TestMysqlServer> {
  const server = await findMysqlServer(options)
  if ('unavailable' in server) throw new Error(server.unavailable)
  return server
}
