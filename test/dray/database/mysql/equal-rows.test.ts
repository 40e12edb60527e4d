import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { MergeTarget } from 'dray/internal/database/adapter.ts'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { signInOnce } from '#test/services/mysql-speech.ts'
import { blocksOf, inTransaction, type OpenedServer, openServer, outcomeOf, skip } from './opened-server.ts'

const rows = [
  ['1', 'a', '5'],
  ['2', 'b', '5'],
  ['3', 'c', '5'],
]
const target: MergeTarget = { table: 'item', columns: ['id', 'v', 'version'], key: ['id'] }

describe('rows that a table of MySQL has already', { skip }, () => {
  let server: OpenedServer
  before(async () => {
    server = await openServer()
  })
  after(() => server.close())

  test('are counted as what became of them where MariaDB keeps their former states', async (context) => {
    if (isRealMysql) return context.skip('MySQL keeps none')
    await server.query('DROP TABLE IF EXISTS item')
    await server.query('CREATE TABLE item (id int PRIMARY KEY, v varchar(9), version int) WITH SYSTEM VERSIONING')
    await server.merge(target, rows)

    const result = await server.merge(target, [
      ['1', 'a', '5'],
      ['2', 'x', '5'],
      ['4', 'd', '5'],
    ])

    assert.deepEqual(outcomeOf(result), [1, 1, 1, 0])
    assert.deepEqual(await server.query('SELECT id, v FROM item ORDER BY id'), [
      ['1', 'a'],
      ['2', 'x'],
      ['3', 'c'],
      ['4', 'd'],
    ])
  })

  test('are other rows where the key tells the beginnings of bytes alone', async () => {
    await server.query('DROP TABLE IF EXISTS item')
    await server.query('CREATE TABLE item (id varbinary(9), v varchar(9), version int, PRIMARY KEY (id(3)))')

    const result = await server.merge(target, [
      ['\\x61626364', 'a', '5'],
      ['\\x61626365', 'b', '5'],
      ['\\x62', 'c', '5'],
    ])

    assert.deepEqual(outcomeOf(result), [2, 0, 0, 0, '1: 1062'])
    assert.deepEqual(await server.query('SELECT hex(id), v FROM item ORDER BY id'), [
      ['61626364', 'a'],
      ['62', 'c'],
    ])
  })

  for (const [which, definition] of [
    ['by a number alone', 'id int PRIMARY KEY, v varchar(9), version int'],
    ['by a text', 'id varchar(9) PRIMARY KEY, v varchar(9), version int'],
    ['beside another unique key', 'id int PRIMARY KEY, v varchar(9) UNIQUE, version int'],
  ] as const) {
    describe(which, () => {
      beforeEach(async () => {
        await server.query('DROP TABLE IF EXISTS item, seen')
        await server.query(`CREATE TABLE item (${definition}, stamp int NOT NULL DEFAULT 0)`)
        await server.query('CREATE TABLE seen (what varchar(20))')
        await server.merge(target, rows)
        await server.query(
          `CREATE TRIGGER stamp BEFORE UPDATE ON item FOR EACH ROW BEGIN SET NEW.stamp = OLD.stamp + 1; INSERT INTO seen VALUES (CONCAT('update ', OLD.id)); END`,
        )
        await server.query(
          `CREATE TRIGGER given BEFORE INSERT ON item FOR EACH ROW INSERT INTO seen VALUES (CONCAT('insert ', NEW.id))`,
        )
      })

      test('are unchanged when they are equal, and no trigger fires', async () => {
        const result = await server.merge(target, rows)

        assert.deepEqual(outcomeOf(result), [0, 0, 3, 0])
        assert.deepEqual(await server.query('SELECT DISTINCT stamp FROM item'), [['0']])
        assert.deepEqual(await server.query('SELECT * FROM seen'), [])
      })

      test('are unchanged when the stored ones are newer, and no trigger fires for these', async () => {
        const into = { ...target, version: 'version' }

        const result = await server.merge(into, [
          ['1', 'x', '4'],
          ['2', 'y', '6'],
          ['3', 'z', null],
          ['4', 'd', '1'],
        ])

        assert.deepEqual(outcomeOf(result), [1, 1, 2, 0])
        assert.deepEqual(await server.query('SELECT * FROM seen ORDER BY 1'), [['insert 4'], ['update 2']])
      })

      test('are so for a user who may not see the triggers, too', async () => {
        const name = new URL(server.url).pathname.slice(1)
        await server.query("DROP USER IF EXISTS reader@'%'")
        await server.query("CREATE USER reader@'%' IDENTIFIED BY 'r'")
        await server.query(
          `GRANT SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES ON \`${name}\`.* TO reader@'%'`,
        )
        const url = new URL(server.url)
        url.username = 'reader'
        url.password = 'r'
        await signInOnce(url.href)
        const adapter = createMysqlAdapter({ name: 'warehouse', url: url.href })
        const connection = await adapter.acquire()

        const merging = inTransaction(connection, () => connection.merge(target, () => blocksOf(rows)))

        const result = await merging.finally(async () => {
          await adapter.release(connection)
          await adapter.close()
        })
        assert.deepEqual(outcomeOf(result), [0, 0, 3, 0])
        assert.deepEqual(await server.query('SELECT * FROM seen'), [])
      })
    })
  }

  test('are rejected where a trigger puts the old values back', async () => {
    await server.query('DROP TABLE IF EXISTS item')
    await server.query('CREATE TABLE item (id int PRIMARY KEY, v varchar(9), version int)')
    await server.merge(target, rows)
    await server.query(
      'CREATE TRIGGER keep BEFORE UPDATE ON item FOR EACH ROW SET NEW.v = IF(NEW.id = 2, OLD.v, NEW.v)',
    )

    const result = await server.merge(target, [
      ['1', 'x', '5'],
      ['2', 'x', '5'],
      ['3', 'c', '5'],
    ])

    assert.deepEqual(outcomeOf(result), [0, 1, 1, 0, '1: dropped'])
    assert.match(result.rejected[0]?.message ?? '', /trigger has put the old values back/)
  })
})
