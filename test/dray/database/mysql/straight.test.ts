import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { CopyBlock, Text } from 'dray/internal/block/block.ts'
import type { MergeResult } from 'dray/internal/database/adapter.ts'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import { signInOnce, TEMPORARY_TABLES } from '#test/services/mysql-speech.ts'
import { blocksOf, countsOf, inTransaction, type OpenedServer, openServer, skip } from './opened-server.ts'

const target = { table: 'item', columns: ['id', 'small', 'amount', 'at'], key: ['id'] }
const row = (id: string | null, small: Text = '1', amount: Text = '1.50', at: Text = '2024-01-02 03:04:05.123') => [
  id,
  small,
  amount,
  at,
]

describe('rows that are new to a table of MySQL', { skip }, () => {
  let server: OpenedServer
  before(async () => {
    server = await openServer()
  })
  after(() => server.close())
  beforeEach(async () => {
    await server.query('DROP TABLE IF EXISTS item')
    await server.query(
      'CREATE TABLE item (id bigint PRIMARY KEY AUTO_INCREMENT, small int, amount decimal(12,2), at datetime(3))',
    )
  })

  /** Each list of rows in a block of its own. */
  function merged(...blocks: readonly (readonly (readonly Text[])[])[]): Promise<MergeResult> {
    const open = (): CopyBlock[] => blocks.flatMap((rows) => blocksOf(rows))
    return inTransaction(server.connection, () => server.connection.merge(target, open))
  }

  test('are loaded into it without a temporary table', async () => {
    const temporary = async () => Number((await server.query(`SHOW STATUS LIKE '${TEMPORARY_TABLES}'`))[0]?.[1])
    const before = await temporary()

    const result = await merged([row('1'), row('0', null)], [row('-3', '-7', null)])

    assert.deepEqual(countsOf(result), [3, 0, 0, 0, 0])
    assert.equal(await temporary(), before)
    assert.deepEqual(await server.query('SELECT id, small, amount FROM item ORDER BY id'), [
      ['-3', '-7', null],
      ['0', null, '1.50'],
      ['1', '1', '1.50'],
    ])
  })

  test('are rejected where a trigger rewrites their keys, by a user who may not see it, too', async () => {
    const name = new URL(server.url).pathname.slice(1)
    await server.query('CREATE TRIGGER rewritten BEFORE INSERT ON item FOR EACH ROW SET NEW.id = NEW.id + 1000')
    await server.query("DROP USER IF EXISTS writer@'%'")
    await server.query("CREATE USER writer@'%' IDENTIFIED BY 'r'")
    await server.query(`GRANT SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES ON \`${name}\`.* TO writer@'%'`)
    const url = new URL(server.url)
    url.username = 'writer'
    url.password = 'r'
    await signInOnce(url.href)
    const adapter = createMysqlAdapter({ name: 'warehouse', url: url.href })
    const connection = await adapter.acquire()

    const merging = inTransaction(connection, () => connection.merge(target, () => blocksOf([row('1'), row('2')])))

    const result = await merging.finally(async () => {
      await adapter.release(connection)
      await adapter.close()
    })
    assert.deepEqual(countsOf(result), [0, 0, 0, 0, 2])
    assert.deepEqual(await server.query('SELECT id FROM item'), [])
  })

  test('are merged after all when a later one is there already, or comes twice', async () => {
    await server.query("INSERT INTO item VALUES (3, 9, 9, '2024-01-01')")

    const result = await merged([row('1'), row('2')], [row('3'), row('2', '5')])

    assert.deepEqual(countsOf(result), [2, 1, 0, 1, 0])
    assert.deepEqual(await server.query('SELECT id, small FROM item ORDER BY id'), [
      ['1', '1'],
      ['2', '5'],
      ['3', '1'],
    ])
  })

  for (const [name, bad, column] of [
    ['rounded to a whole number', row('2', '1.5'), 'small'],
    ['rounded to two digits', row('2', '1', '1.234'), 'amount'],
    ['cut to milliseconds', row('2', '1', '1', '2024-01-02 03:04:05.1234'), 'at'],
    ['numbered instead of refused', row(null), 'id'],
    ['put at the end of the range', row('2', '99999999999'), 'small'],
  ] as const) {
    test(`are never ${name}, wherever the value comes`, async () => {
      const result = await merged([row('1')], [bad, row('4')])

      assert.deepEqual(
        result.rejected.map((rejected) => [rejected.row, rejected.column]),
        [[1, column]],
      )
      assert.deepEqual(await server.query('SELECT id FROM item ORDER BY id'), [['1'], ['4']])
    })
  }

  test('are none when the caller fails to give them, and the connection goes on', async () => {
    const fault = new Error('the staged object is damaged')
    const merging = inTransaction(server.connection, () =>
      server.connection.merge(target, function* () {
        yield* blocksOf([row('1')])
        throw fault
      }),
    )

    await assert.rejects(merging, fault)

    assert.deepEqual(await server.query('SELECT count(*) FROM item'), [['0']])
  })
})
