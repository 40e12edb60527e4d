import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import {
  type Adapter,
  type Connection,
  DROPPED,
  type MergeResult,
  type MergeTarget,
  OTHER_SPELLING,
} from 'dray/internal/database/adapter.ts'
import { createSqliteAdapter } from 'dray/internal/database/sqlite/index.ts'
import { blocksOf } from '#test/contracts/adapter.ts'

const countsOf = ({ inserted, updated, unchanged, duplicate, rejected }: MergeResult) => [
  inserted,
  updated,
  unchanged,
  duplicate,
  rejected.length,
]

describe('a merge into SQLite counts what was done', () => {
  let adapter: Adapter
  let connection: Connection
  let tables = 0
  before(async () => {
    adapter = createSqliteAdapter({ name: 'crm', url: 'sqlite::memory:' })
    connection = await adapter.acquire()
  })
  after(async () => {
    await adapter.release(connection)
    await adapter.close()
  })

  async function tableOf(definition: string, target: Partial<MergeTarget> = {}): Promise<MergeTarget> {
    tables += 1
    await connection.query(`CREATE TABLE t${tables} (${definition})`)
    return { table: `t${tables}`, columns: ['id', 'v'], key: ['id'], ...target }
  }
  async function merge(target: MergeTarget, rows: readonly (readonly Text[])[]): Promise<MergeResult> {
    await connection.begin('write')
    const result = await connection.merge(target, blocksOf(rows))
    await connection.commit()
    return result
  }
  const all = async ({ table }: MergeTarget) => (await connection.query(`SELECT * FROM ${table} ORDER BY 1, 2`)).rows
  const three = (v: string): Text[][] => ['1', '2', '3'].map((id) => [id, v])

  test('rows that a trigger ignores, on insert or on update, are rejected as dropped', async () => {
    const target = await tableOf('id INTEGER PRIMARY KEY, v INTEGER')
    await merge(target, three('5'))
    for (const event of ['INSERT', 'UPDATE']) {
      await connection.query(
        `CREATE TRIGGER ignore_${event} BEFORE ${event} ON ${target.table} WHEN NEW.v = 7 BEGIN SELECT RAISE(IGNORE); END`,
      )
    }

    const result = await merge(target, [
      ['1', '6'],
      ['2', '7'],
      ['3', '5'],
      ['4', '7'],
      ['5', '1'],
    ])

    assert.deepEqual(countsOf(result), [1, 1, 1, 0, 2])
    assert.deepEqual(
      result.rejected.map(({ row, code }) => [row, code]),
      [
        [1, DROPPED],
        [3, DROPPED],
      ],
    )
    assert.match(result.rejected[0]?.message ?? '', /RAISE\(IGNORE\)/)
    assert.deepEqual(await all(target), [
      ['1', '6'],
      ['2', '5'],
      ['3', '5'],
      ['5', '1'],
    ])
  })

  test('a row that a trigger deletes again, and one that a view takes, are dropped', async () => {
    const target = await tableOf('id INTEGER PRIMARY KEY, v INTEGER')
    const gone = `DELETE FROM ${target.table} WHERE id = NEW.id`
    await connection.query(`CREATE TRIGGER gone AFTER INSERT ON ${target.table} WHEN NEW.v = 7 BEGIN ${gone}; END`)
    await connection.query(`CREATE VIEW seen AS SELECT * FROM ${target.table}`)
    await connection.query('CREATE TRIGGER into_view INSTEAD OF INSERT ON seen BEGIN SELECT 1; END')

    const table = await merge(target, [
      ['1', '7'],
      ['2', '1'],
    ])
    const view = await merge({ ...target, table: 'seen', mode: 'insert' }, [['8', '1']])

    assert.deepEqual([countsOf(table), table.rejected[0]?.code], [[1, 0, 0, 0, 1], DROPPED])
    assert.deepEqual([countsOf(view), view.rejected[0]?.code], [[0, 0, 0, 0, 1], DROPPED])
    assert.deepEqual(await all(target), [['2', '1']])
  })

  test('equal rows and rows held back by a version fire no trigger', async () => {
    const target = await tableOf('id INTEGER PRIMARY KEY, v INTEGER')
    await merge(target, three('5'))
    await connection.query('CREATE TABLE fired (what TEXT)')
    for (const event of ['INSERT', 'UPDATE']) {
      await connection.query(
        `CREATE TRIGGER fired_${event} BEFORE ${event} ON ${target.table} BEGIN INSERT INTO fired VALUES ('${event}'); END`,
      )
    }

    const equal = await merge(target, three('5'))
    const older = await merge({ ...target, version: 'v' }, three('4'))

    assert.deepEqual(
      [countsOf(equal), countsOf(older)],
      [
        [0, 0, 3, 0, 0],
        [0, 0, 3, 0, 0],
      ],
    )
    assert.deepEqual((await connection.query('SELECT * FROM fired')).rows, [])
  })

  for (const [type, one, other] of [
    ['INTEGER', '1', '01'],
    ['NUMERIC', '1.5', '1.50'],
    ['REAL', '1', '1.0'],
    ['TEXT COLLATE NOCASE', 'a', 'A'],
    ['TEXT COLLATE RTRIM', 'a', 'a '],
  ] as const) {
    test(`two spellings of one key are both rejected: ${type}`, async () => {
      const target = await tableOf(`id ${type} PRIMARY KEY, v INTEGER`)

      const result = await merge(target, [
        [one, '1'],
        [other, '2'],
        [one, '3'],
        ['7', '1'],
        ['7', '2'],
      ])

      assert.deepEqual(countsOf(result), [1, 0, 0, 1, 3])
      assert.ok(result.rejected.every(({ code }) => code === OTHER_SPELLING))
      assert.ok(result.rejected[0]?.message.includes(JSON.stringify([other])), result.rejected[0]?.message)
    })
  }

  test('a number has no spelling in the table, a text has one, which respell replaces', async () => {
    const number = await tableOf('id INTEGER PRIMARY KEY, v INTEGER')
    const text = await tableOf('id TEXT COLLATE NOCASE PRIMARY KEY, v INTEGER')
    await merge(number, [['1', '1']])
    await merge(text, [['Ann', '1']])

    const met = await merge(number, [['01', '2']])
    const refused = await merge(text, [['ANN', '1']])
    const taken = await merge({ ...text, respell: true }, [['ANN', '1']])

    assert.deepEqual(countsOf(met), [0, 1, 0, 0, 0])
    assert.deepEqual([countsOf(refused), refused.rejected[0]?.code], [[0, 0, 0, 0, 1], OTHER_SPELLING])
    assert.match(refused.rejected[0]?.message ?? '', /"Ann"/)
    assert.deepEqual(countsOf(taken), [0, 1, 0, 0, 0])
    assert.deepEqual(await all(text), [['ANN', '1']])
  })

  test('rows whose parent comes later, or whose value another row gives up, land', async () => {
    const tree = await tableOf('id INTEGER PRIMARY KEY')
    await connection.query(`DROP TABLE ${tree.table}`)
    await connection.query(
      `CREATE TABLE ${tree.table} (id INTEGER PRIMARY KEY, v INTEGER REFERENCES ${tree.table} (id))`,
    )
    const unique = await tableOf('id INTEGER PRIMARY KEY, v TEXT UNIQUE')
    await merge(unique, [
      ['1', 'a'],
      ['2', 'b'],
    ])

    const family = await merge(tree, [
      ['4', '3'],
      ['3', '2'],
      ['2', '1'],
      ['1', null],
      ['5', '99'],
    ])
    const moved = await merge(unique, [
      ['3', 'a'],
      ['2', 'a'],
      ['1', 'c'],
    ])

    assert.deepEqual([family.inserted, family.rejected.map(({ row }) => row)], [4, [4]])
    assert.deepEqual([moved.inserted + moved.updated, moved.rejected.length], [2, 1])
  })
})
