import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import { signInOnce } from '#test/services/mysql-speech.ts'
import { blocksOf, countsOf, inTransaction, type OpenedServer, openServer, skip } from './opened-server.ts'

const SETTINGS = ['sql_notes=0', 'max_error_count=0', 'max_error_count=10']
const BAD = 2_000
const ROWS = 20_000

/** What a server keeps to itself, by its settings. An ordinary user of MySQL may not change all of them. */
for (const localInfile of ['ON', 'OFF']) {
  describe(`changed values of which the server is not to tell, local_infile=${localInfile}`, { skip }, () => {
    let server: OpenedServer
    before(async () => {
      server = await openServer({ arguments: [`--local-infile=${localInfile}`] })
      await server.query("CREATE USER plain@'%' IDENTIFIED BY 'p'")
      await server.query(`GRANT ALL ON ${new URL(server.url).pathname.slice(1)}.* TO plain@'%'`)
    })
    after(() => server.close())

    for (const setting of SETTINGS) {
      test(`${setting}: are rejected, and the rows beside them are loaded`, async () => {
        const table = `t${SETTINGS.indexOf(setting)}`
        await server.query(`CREATE TABLE ${table} (id int PRIMARY KEY, v decimal(10,2), w varchar(3), x float)`)
        const rows: Text[][] = [
          ['1', '1.005', 'a', '1'],
          ['2', '1.01', 'b', '1'],
          ['3', '1', 'cccc', '1'],
          ['4', '1', 'd', '1e300'],
          ['5', '1', null, '0.1'],
        ]
        const [name = '', value = ''] = setting.split('=')
        const [[usual = '']] = (await server.query(`SELECT @@GLOBAL.${name}`)) as [[string]]
        await server.query(`SET GLOBAL ${name}=${value}`)
        const url = Object.assign(new URL(server.url), { username: 'plain', password: 'p' })
        await signInOnce(url.href)
        const adapter = createMysqlAdapter({ name: 'warehouse', url: url.href })
        const connection = await adapter.acquire()

        const result = await inTransaction(connection, () =>
          connection.merge({ table, columns: ['id', 'v', 'w', 'x'], key: ['id'] }, () => blocksOf(rows)),
        )

        await adapter.release(connection)
        await adapter.close()
        await server.query(`SET GLOBAL ${name}=${usual}`)
        assert.deepEqual(
          result.rejected.map(({ row }) => row),
          [0, 2, 3],
        )
        assert.deepEqual(await server.query(`SELECT id FROM ${table} ORDER BY id`), [['2'], ['5']])
      })
    }

    test('and many: exactly they are rejected, and none is tried by itself where files are taken', async () => {
      await server.query('CREATE TABLE many (id int PRIMARY KEY, v decimal(10,2), w varchar(3))')
      const every = ROWS / BAD
      const rows = Array.from({ length: ROWS }, (_, id): Text[] => [
        String(id),
        id % every === 3 ? '1.005' : '1.01',
        'a',
      ])
      const inserts = async () => Number((await server.query("SHOW SESSION STATUS LIKE 'Com_insert'"))[0]?.[1])
      const before = await inserts()

      const result = await server.merge({ table: 'many', columns: ['id', 'v', 'w'], key: ['id'] }, rows)

      assert.deepEqual(countsOf(result), [ROWS - BAD, 0, 0, 0, BAD])
      assert.ok(result.rejected.every(({ row, column }) => row % every === 3 && column === 'v'))
      if (localInfile === 'ON') assert.equal((await inserts()) - before, 0)
    })
  })
}
