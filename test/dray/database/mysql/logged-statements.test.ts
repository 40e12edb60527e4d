import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { signInOnce } from '#test/services/mysql-speech.ts'
import { blocksOf, countsOf, inTransaction, type OpenedServer, openServer, skip } from './opened-server.ts'

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

      test('is loaded into by a user who may ask for rows to be logged', async () => {
        const merged = await server.merge(target, BEFORE).then(() => server.merge(target, AFTER))

        assert.deepEqual(countsOf(merged), [1, 1, 0, 0, 0])
      })

      test(`${gtids ? 'is refused' : 'is loaded into'}, where the user may not`, async () => {
        await server.query("UPDATE item SET v = 'z' WHERE id = 1")
        await server.query("CREATE USER plain@'%' IDENTIFIED BY 'p'")
        await server.query(`GRANT ALL ON ${new URL(server.url).pathname.slice(1)}.* TO plain@'%'`)
        const url = Object.assign(new URL(server.url), { username: 'plain', password: 'p' })
        await signInOnce(url.href)
        const adapter = createMysqlAdapter({ name: 'warehouse', url: url.href })
        const connection = await adapter.acquire()

        const merging = inTransaction(connection, () => connection.merge(target, () => blocksOf(BEFORE)))

        if (gtids) {
          await assert.rejects(merging, (error: Error) => {
            return error instanceof ConfigurationError && /GTIDs.*SET GLOBAL binlog_format = ROW/.test(error.message)
          })
        } else assert.deepEqual(countsOf(await merging), [0, 1, 0, 0, 0])
        assert.deepEqual((await connection.query('SELECT v FROM item WHERE id = 1')).rows, [[gtids ? 'z' : 'a']])
        await adapter.release(connection)
        await adapter.close()
      })
    })
  }
})
