import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { countsOf, type OpenedServer, openServer, skip } from './opened-server.ts'

const target = { table: 'item', columns: ['id', 'v'], key: ['id'] }
const BEFORE = [['1', 'a']]
const AFTER = [
  ['1', 'b'],
  ['2', 'c'],
]

describe('a server that logs statements', { skip }, () => {
  for (const gtids of [false, true]) {
    describe(gtids ? 'with GTIDs' : 'without GTIDs', { skip: gtids && !isRealMysql && 'MariaDB has others' }, () => {
      let server: OpenedServer
      before(async () => {
        const mode = gtids ? 'ON' : 'OFF'
        const more = isRealMysql ? [`--gtid-mode=${mode}`, `--enforce-gtid-consistency=${mode}`] : []
        server = await openServer({
          arguments: ['--log-bin=binlog', '--server-id=1', '--binlog-format=STATEMENT', ...more],
        })
        await server.query('CREATE TABLE item (id int PRIMARY KEY, v varchar(9))')
        await server.query("INSERT INTO item VALUES (1, 'z')")
      })
      after(() => server.close())

      test(gtids ? 'is asked to log rows' : 'is loaded into', async () => {
        const merging = server.merge(target, BEFORE).then(() => server.merge(target, AFTER))

        if (!gtids) return assert.deepEqual(countsOf(await merging), [1, 1, 0, 0, 0])
        await assert.rejects(merging, (error: Error) => {
          return error instanceof ConfigurationError && /3748.*SET GLOBAL binlog_format = ROW/.test(error.message)
        })
        assert.deepEqual(await server.query('SELECT v FROM item'), [['z']])
      })
    })
  }
})
