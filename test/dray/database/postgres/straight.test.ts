import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { CopyBlock } from 'dray/internal/block/block.ts'
import type { Adapter, MergeResult, MergeTarget } from 'dray/internal/database/adapter.ts'
import { createPostgresAdapter } from 'dray/internal/database/postgres/index.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'

const target: MergeTarget = { table: 'item', columns: ['id', 'amount'], key: ['id'] }

function blocksOf(...blocks: readonly (readonly string[])[]): () => CopyBlock[] {
  return () =>
    blocks.map((lines) => ({ bytes: Buffer.from(lines.map((line) => `${line}\n`).join('')), rows: lines.length }))
}

describe('rows that are new to a table of PostgreSQL', () => {
  let server: TestPostgres
  let adapter: Adapter

  before(async () => {
    server = await startPostgres()
    adapter = createPostgresAdapter({ name: 'straight', url: await server.createDatabase() })
  })
  after(async () => {
    await adapter.close()
    await server.stop()
  })
  beforeEach(async () => {
    await run('DROP TABLE IF EXISTS item CASCADE')
    await run('CREATE TABLE item (id bigint PRIMARY KEY, amount numeric(12,2) CHECK (amount < 1000))')
  })

  async function run(sql: string): Promise<readonly (readonly (string | null)[])[]> {
    const connection = await adapter.acquire()
    try {
      return (await connection.query(sql)).rows
    } finally {
      await adapter.release(connection)
    }
  }

  async function merged(open: () => CopyBlock[], into: MergeTarget = target): Promise<MergeResult> {
    const connection = await adapter.acquire()
    try {
      await connection.begin('write')
      const result = await connection.merge(into, open)
      await connection.commit()
      return result
    } finally {
      await adapter.release(connection)
    }
  }

  test('are rejected alone where their key holds a NUL character, which cannot be looked up', async () => {
    await run('CREATE TABLE IF NOT EXISTS word (id text PRIMARY KEY)')

    const result = await merged(blocksOf(['a\0', 'b']), { table: 'word', columns: ['id'], key: ['id'] })

    assert.deepEqual([result.inserted, result.rejected.map(({ row, code }) => [row, code])], [1, [[0, '22021']]])
  })

  test('are copied into it without a temporary table', async () => {
    await run(`CREATE TABLE seen (name text)`)
    await run(`CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO seen SELECT relname FROM pg_class WHERE relpersistence = 't' AND relname LIKE 'dray%'; RETURN NULL; END $$`)
    await run('CREATE TRIGGER see AFTER INSERT ON item EXECUTE FUNCTION see()')

    const result = await merged(blocksOf(['1\t1.50', '2\t\\N'], ['3\t2.00']))

    assert.deepEqual(result, { inserted: 3, updated: 0, unchanged: 0, duplicate: 0, rejected: [] })
    assert.deepEqual(await run('SELECT * FROM seen'), [])
  })

  test('are merged after all when a later one is there already', async () => {
    await run('INSERT INTO item VALUES (3, 1)')

    const result = await merged(blocksOf(['1\t1', '2\t1'], ['3\t2.00']))

    assert.deepEqual(result, { inserted: 2, updated: 1, unchanged: 0, duplicate: 0, rejected: [] })
    assert.deepEqual(await run('SELECT id, amount FROM item ORDER BY id'), [
      ['1', '1.00'],
      ['2', '1.00'],
      ['3', '2.00'],
    ])
  })

  test('are merged after all when a key comes twice', async () => {
    const result = await merged(blocksOf(['1\t1', '2\t1'], ['1\t2']))

    assert.deepEqual(result, { inserted: 2, updated: 0, unchanged: 0, duplicate: 1, rejected: [] })
    assert.deepEqual(await run('SELECT amount FROM item WHERE id = 1'), [['2.00']])
  })

  test('are never rounded, wherever the digit too many comes', async () => {
    const result = await merged(blocksOf(['1\t1.50'], ['2\t1.234']))

    assert.equal(result.inserted, 1)
    assert.deepEqual(
      result.rejected.map(({ row, column }) => [row, column]),
      [[1, 'amount']],
    )
    assert.deepEqual(await run('SELECT id FROM item'), [['1']])
  })

  test('are refused one by one where the table does not take them', async () => {
    const result = await merged(blocksOf(['1\t1', '2\t5000'], ['3\tx', '4\t4']))

    assert.equal(result.inserted, 2)
    assert.deepEqual(
      result.rejected.map(({ row, code }) => [row, code]),
      [
        [1, '23514'],
        [2, '22P02'],
      ],
    )
  })

  test('are refused without a key where the table would take them', async () => {
    await run('DROP TABLE item')
    await run('CREATE TABLE item (id bigint UNIQUE, amount numeric(12,2))')

    const result = await merged(blocksOf(['1\t1', '\\N\t5']))

    assert.equal(result.inserted, 1)
    assert.deepEqual(
      result.rejected.map(({ row, code }) => [row, code]),
      [[1, '23502']],
    )
  })

  test('are rejected where a trigger leaves them out', async () => {
    await run(`CREATE OR REPLACE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END $$`)
    await run('CREATE TRIGGER skip BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION skip()')

    const result = await merged(blocksOf(['1\t1', '2\t1']))

    assert.deepEqual(
      [result.inserted, result.unchanged, result.rejected.map(({ row, code }) => [row, code])],
      [1, 0, [[1, 'dropped']]],
    )
  })

  test('leave the transaction usable, and the connection, when the caller fails to give them', async () => {
    const connection = await adapter.acquire()
    await connection.begin('write')
    const fault = new Error('the staged object is damaged')

    const merging = connection.merge(target, function* () {
      yield* blocksOf(['1\t1'])()
      throw fault
    })

    await assert.rejects(merging, fault)
    assert.deepEqual((await connection.query('SELECT count(*) FROM item')).rows, [['0']])
    await connection.rollback()
    await adapter.release(connection)
  })
})
