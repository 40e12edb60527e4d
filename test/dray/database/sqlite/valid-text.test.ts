import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { decodeBlock } from 'dray/internal/block/copy-text.ts'
import type { Adapter, Connection } from 'dray/internal/database/adapter.ts'
import { createSqliteAdapter } from 'dray/internal/database/sqlite/index.ts'

describe('text in SQLite', () => {
  let folder: string
  let adapter: Adapter
  let connection: Connection

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-sqlite-'))
    adapter = createSqliteAdapter({ name: 'crm', url: `sqlite:${join(folder, 'text.db')}` })
    connection = await adapter.acquire()
    await connection.query(`
      CREATE TABLE note (id INTEGER PRIMARY KEY, title TEXT, body TEXT);
      INSERT INTO note VALUES (1, 'a', 'b'), (2, 'U+FFFD: \uFFFD', 'c'), (3, 'd', CAST(X'61ff62' AS TEXT)), (4, 'e', 'f')`)
  })
  after(async () => {
    await adapter.release(connection)
    await adapter.close()
    await rm(folder, { recursive: true })
  })

  async function copied(sql: string, parameters: readonly string[] = []): Promise<(string | null)[][]> {
    const rows: (string | null)[][] = []
    for await (const block of connection.copyOut(sql, parameters)) rows.push(...decodeBlock(block))
    return rows
  }

  const refusal = { name: 'Terminal', message: /crm.*text in "body" that is not valid UTF-8, so it was not read/ }

  test('that is not valid UTF-8 is not read, rather than changed', async () => {
    await assert.rejects(connection.query('SELECT title, body FROM note;'), refusal)
    await assert.rejects(connection.query('SELECT body FROM note WHERE id = ?', ['3']), refusal)
    await assert.rejects(copied('SELECT id, body FROM note -- all'), refusal)
  })

  test('that is not valid UTF-8 is copied as bytes where it is asked for, and its column is named', async () => {
    const rows: (string | null)[][] = []

    for await (const block of connection.copyOut('SELECT id, title, body FROM note', [], {
      keepDamaged: ['bigint', 'text', 'text'],
    })) {
      rows.push(...decodeBlock(block))
    }

    assert.deepEqual(rows, [
      ['1', 'a', 'b'],
      ['2', 'U+FFFD: \uFFFD', 'c'],
      ['3', 'd', '\\x61ff62', 'body'],
      ['4', 'e', 'f'],
    ])
  })

  test('that is no text is copied as bytes, and so is text in a column of bytes', async () => {
    await connection.query(`
      CREATE TABLE held (id INTEGER PRIMARY KEY, title TEXT, number INTEGER, bytes BLOB);
      INSERT INTO held VALUES (1, 'hello', 1, X'0a0b'), (2, X'68656c6c6f', 2, NULL), (3, 'a', X'31', X''), (4, 'b', 4, '\\x0a0b'),
        (5, X'00', 5, CAST(X'ff' AS TEXT))`)
    const rows: (string | null)[][] = []

    const keepDamaged = ['bigint', 'text', 'integer', 'binary'] as const
    for await (const block of connection.copyOut('SELECT * FROM held', [], { keepDamaged })) {
      rows.push(...decodeBlock(block))
    }

    assert.deepEqual(rows, [
      ['1', 'hello', '1', '\\x0a0b'],
      ['2', '\\x68656c6c6f', '2', null, 'title'],
      ['3', 'a', '\\x31', '\\x', 'number'],
      ['4', 'b', '4', `\\x${Buffer.from('\\x0a0b').toString('hex')}`, 'bytes'],
      ['5', '\\x00', '5', '\\xff', 'title,bytes'],
    ])
  })

  test('that holds U+FFFD is read as it is', async () => {
    const { rows } = await connection.query('SELECT title, body FROM note WHERE id <> ?', ['3'])
    const copy = await copied('SELECT title, body FROM note WHERE id <> ?', ['3'])

    assert.deepEqual(rows[1], ['U+FFFD: \uFFFD', 'c'])
    assert.deepEqual(copy, rows)
  })
})
