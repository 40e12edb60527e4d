import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { CopyBlock, Text } from 'dray/internal/block/block.ts'
import type { MergeResult } from 'dray/internal/database/adapter.ts'
import { TEMPORARY_TABLES } from '#test/services/mysql-speech.ts'
import { blocksOf, countsOf, inTransaction, type OpenedServer, openServer, skip } from './opened-server.ts'

const row = (id: string | null, small: Text = '1', amount: Text = '1.50', at: Text = '2024-01-02 03:04:05.123') => [
  id,
  small,
  amount,
  at,
]

describe('rows in the order of their keys, merged into a table of MySQL', { skip }, () => {
  let server: OpenedServer
  before(async () => {
    server = await openServer()
  })
  after(() => server.close())
  beforeEach(async () => {
    await server.query('DROP TABLE IF EXISTS item')
    await server.query(
      'CREATE TABLE item (id bigint PRIMARY KEY, small int CHECK (small < 100), amount decimal(12,2), at datetime(3))',
    )
    await server.query("INSERT INTO item VALUES (1, 1, 1.5, '2024-01-02 03:04:05.123'), (2, 2, 2, '2024-01-02')")
  })

  /** Each list of rows in a block of its own; says how many temporary tables were made, too. */
  async function merged(
    blocks: readonly (readonly (readonly Text[])[])[],
    version?: string,
  ): Promise<MergeResult & { tables: number }> {
    const open = (): CopyBlock[] => blocks.flatMap((rows) => blocksOf(rows))
    const target = { table: 'item', columns: ['id', 'small', 'amount', 'at'], key: ['id'] }
    const made = async () => Number((await server.query(`SHOW STATUS LIKE '${TEMPORARY_TABLES}'`))[0]?.[1])
    const before = await made()
    const result = await inTransaction(server.connection, () =>
      server.connection.merge(version === undefined ? target : { ...target, version }, open),
    )
    return { ...result, tables: (await made()) - before }
  }

  test('are inserted, updated and left alone, with exact counts', async () => {
    const result = await merged([
      [row('1'), row('2', '3', null)],
      [row('10', null), row('11')],
    ])

    assert.deepEqual(countsOf(result), [2, 1, 1, 0, 0])
    assert.equal(result.tables, 1)
    assert.deepEqual(await server.query('SELECT id, small, amount FROM item ORDER BY id'), [
      ['1', '1', '1.50'],
      ['2', '3', null],
      ['10', null, '1.50'],
      ['11', '1', '1.50'],
    ])
  })

  test('never replace a newer row', async () => {
    const old = '2023-12-31 00:00:00'

    const result = await merged([[row('1', '9', '9', old), row('2', '9', '9', '2024-06-01 00:00:00')]], 'at')

    assert.deepEqual(countsOf(result), [0, 1, 1, 0, 0])
    assert.deepEqual(await server.query('SELECT small FROM item ORDER BY id'), [['1'], ['9']])
  })

  for (const [name, blocks, counts] of [
    ['a key comes twice', [[row('1', '5')], [row('1', '6')]], [0, 1, 0, 1, 0]],
    ['a key is smaller than the one before', [[row('2', '5')], [row('1', '6')]], [0, 2, 0, 0, 0]],
    ['a value would be rounded', [[row('1', '5')], [row('2', '1', '1.555')]], [0, 1, 0, 0, 1]],
    ['the table refuses a row', [[row('1', '5')], [row('2', '100')]], [0, 1, 0, 0, 1]],
    ['a value is beyond the range of its column', [[row('1', '5')], [row('2', '99999999999')]], [0, 1, 0, 0, 1]],
  ] as const) {
    test(`are merged the careful way when ${name}`, async () => {
      const result = await merged(blocks)

      assert.deepEqual(countsOf(result), counts)
      assert.equal(result.tables, 2)
      assert.notEqual((await server.query('SELECT small FROM item WHERE id = 1'))[0]?.[0], '1')
    })
  }

  test('are none when the caller fails to give them, and the connection goes on', async () => {
    const fault = new Error('the staged object is damaged')
    const open = async function* () {
      yield* blocksOf([row('1', '5')])
      throw fault
    }
    const target = { table: 'item', columns: ['id', 'small', 'amount', 'at'], key: ['id'] }

    const failed = inTransaction(server.connection, () => server.connection.merge(target, open))

    await assert.rejects(failed, fault)
    assert.deepEqual(await server.query('SELECT small FROM item ORDER BY id'), [['1'], ['2']])
  })
})
