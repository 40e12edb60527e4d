import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import { blocksOf, inTransaction, type OpenedServer, openServer, outcomeOf, skip } from './opened-server.ts'

const PACKET = 1_048_576
const SIZES = [PACKET / 2, PACKET - 6, PACKET, PACKET + 1, 3 * PACKET]

for (const localInfile of ['ON', 'OFF']) {
  describe(`rows beyond max_allowed_packet, local_infile=${localInfile}`, { skip }, () => {
    let server: OpenedServer
    before(async () => {
      server = await openServer({
        arguments: [`--local-infile=${localInfile}`, `--max-allowed-packet=${PACKET}`],
      })
    })
    after(() => server.close())

    for (const [type, textOf] of [
      ['longtext', (size: number, digit: string) => digit.repeat(size)],
      ['longblob', (size: number, digit: string) => `\\x3${digit}${`3${digit}`.repeat(size - 1)}`],
    ] as const) {
      for (const size of SIZES) {
        test(`of ${size} bytes in a ${type} are loaded, or rejected by name; those beside them are loaded`, async () => {
          const table = `t_${type}_${size}`
          await server.query(`CREATE TABLE ${table} (id int PRIMARY KEY, v ${type})`)
          await server.query(`INSERT INTO ${table} VALUES (1, 'x')`)
          const adapter = createMysqlAdapter({ name: 'warehouse', url: server.url })
          const connection = await adapter.acquire()
          const merge = (rows: Text[][]) =>
            inTransaction(connection, () =>
              connection.merge({ table, columns: ['id', 'v'], key: ['id'] }, () => blocksOf(rows)),
            )
          const small = textOf(1, '7')
          const held = async () =>
            (await connection.query(`SELECT id, LENGTH(v), CAST(LEFT(v, 1) AS CHAR) FROM ${table} ORDER BY id`)).rows

          const first = await merge([
            ['1', small],
            ['2', textOf(size, '1')],
            ['3', small],
          ])
          const second = await merge([['2', textOf(size, '2')]])

          const after_ = await held()
          await adapter.release(connection)
          await adapter.close()
          const isRejected = first.rejected.length === 1
          assert.deepEqual(outcomeOf(first), isRejected ? [1, 1, 0, 0, '1: 1153'] : [2, 1, 0, 0])
          assert.deepEqual(outcomeOf(second), isRejected ? [0, 0, 0, 0, '0: 1153'] : [0, 1, 0, 0])
          const large = isRejected ? [] : [['2', String(size), '2']]
          const [three] = after_.slice(-1)
          assert.deepEqual(after_.slice(1, -1), large)
          assert.deepEqual(three?.[0], '3')
        })
      }
    }
  })
}
