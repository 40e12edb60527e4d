import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { activeRecordContract } from '#test/contracts/active-record.ts'
import { mysqlUnavailable, othersSkipped, startMysqlServer } from '#test/services/mysql-server.ts'
import { startPostgres } from '#test/services/postgres.ts'

activeRecordContract(
  'postgres',
  async () => {
    const server = await startPostgres()
    return { url: await server.createDatabase(), close: () => server.stop() }
  },
  othersSkipped,
)

activeRecordContract(
  'mysql',
  async () => {
    const server = await startMysqlServer()
    return { url: await server.createDatabase(), close: () => server.stop() }
  },
  mysqlUnavailable,
)

activeRecordContract(
  'sqlite',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dray-active-record-'))
    return { url: `sqlite:${join(folder, 'shop.db')}`, close: () => rm(folder, { recursive: true }) }
  },
  othersSkipped,
)
