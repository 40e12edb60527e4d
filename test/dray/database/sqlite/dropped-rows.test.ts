import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { MergeTarget } from 'dray/internal/database/adapter.ts'
import { type OpenedFile, openFile, outcomeOf } from './opened-file.ts'

const target: MergeTarget = { table: 'item', columns: ['id', 'amount'], key: ['id'] }
const others = Array.from({ length: 700 }, (_, index) => [String(1_000 + index), '1'])

describe('rows that SQLite drops', () => {
  let file: OpenedFile
  before(async () => {
    file = await openFile()
  })
  after(() => file.close())
  beforeEach(async () => {
    await file.query('DROP VIEW IF EXISTS items; DROP TABLE IF EXISTS item; DROP TABLE IF EXISTS seen')
    await file.query('CREATE TABLE item (id INTEGER PRIMARY KEY, amount INTEGER)')
  })

  const drop = (when: string) =>
    file.query(`CREATE TRIGGER drop_row ${when} ON item WHEN NEW.id = 2 BEGIN SELECT RAISE(IGNORE); END`)

  test('are rejected where a trigger keeps them from being inserted', async () => {
    await drop('BEFORE INSERT')

    const result = await file.merge(target, [['1', '1'], ['2', '1'], ['3', '1'], ...others])

    assert.deepEqual(outcomeOf(result), [702, 0, 0, 0, '1: dropped'])
    assert.match(result.rejected[0]?.message ?? '', /trigger with RAISE\(IGNORE\)/)
    assert.deepEqual(await file.query('SELECT id FROM item WHERE id < 10'), [['1'], ['3']])
  })

  test('are rejected where a trigger keeps them from being updated', async () => {
    await file.merge(target, [['1', '1'], ['2', '1'], ['3', '1'], ...others])
    await drop('BEFORE UPDATE')

    const result = await file.merge(target, [['1', '9'], ['2', '9'], ['3', '1'], ['4', '1'], ...others])

    assert.deepEqual(outcomeOf(result), [1, 1, 701, 0, '1: dropped'])
    assert.deepEqual(await file.query('SELECT amount FROM item WHERE id < 5'), [['9'], ['1'], ['1'], ['1']])
  })

  test('are rejected where they are appended without a key', async () => {
    await drop('BEFORE INSERT')

    const result = await file.merge({ ...target, key: [], mode: 'insert' }, [['1', '1'], ['2', '1'], ...others])

    assert.deepEqual(outcomeOf(result), [701, 0, 0, 0, '1: dropped'])
  })

  test('are rejected where a view does nothing for them', async () => {
    await file.query('CREATE VIEW items AS SELECT * FROM item')
    await file.query(`CREATE TRIGGER take INSTEAD OF INSERT ON items WHEN NEW.id <> 2 BEGIN
      INSERT INTO item VALUES (NEW.id, NEW.amount); END`)

    const result = await file.merge({ ...target, table: 'items', key: [], mode: 'insert' }, [
      ['1', '1'],
      ['2', '1'],
      ...others,
    ])

    assert.deepEqual(outcomeOf(result), [701, 0, 0, 0, '1: dropped'])
    assert.deepEqual(await file.query('SELECT count(*) FROM item'), [['701']])
  })

  test('are not there when rows are equal, or older: these are left alone, and no trigger fires', async () => {
    await file.query('ALTER TABLE item ADD version INTEGER')
    await file.query('CREATE TABLE seen (what TEXT)')
    const into = { ...target, columns: ['id', 'amount', 'version'], version: 'version' }
    await file.merge(
      into,
      ['1', '2', '3', '4'].map((id) => [id, '1', '5']),
    )
    await file.query(
      `CREATE TRIGGER see BEFORE UPDATE ON item BEGIN INSERT INTO seen VALUES ('update ' || OLD.id); END`,
    )
    await file.query(
      `CREATE TRIGGER hear BEFORE INSERT ON item BEGIN INSERT INTO seen VALUES ('insert ' || NEW.id); END`,
    )

    const result = await file.merge(into, [
      ['1', '1', '5'],
      ['2', '9', '4'],
      ['3', '9', '6'],
      ['4', '9', null],
    ])

    assert.deepEqual(outcomeOf(result), [0, 1, 3, 0])
    assert.deepEqual(await file.query('SELECT * FROM seen'), [['update 3']])
  })
})
