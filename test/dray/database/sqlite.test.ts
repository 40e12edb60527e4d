import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import type { Adapter } from 'dray/internal/database/adapter.ts'
import { createSqliteAdapter } from 'dray/internal/database/sqlite/index.ts'
import { adapterContract, blocksOf } from '#test/contracts/adapter.ts'

adapterContract('SQLite', {
  async open() {
    const folder = await mkdtemp(join(tmpdir(), 'dray-sqlite-'))
    return {
      adapter: createSqliteAdapter({
        name: 'crm',
        url: `sqlite:${join(folder, 'a b?.db'.replace('?', '%3F'))}`,
        maxConnections: 3,
      }),
      close: () => rm(folder, { recursive: true }),
    }
  },
  types: {
    bigint: 'INTEGER',
    integer: 'INTEGER',
    text: 'TEXT',
    varchar: (length) => `VARCHAR(${length})`,
    binary: 'BLOB',
    timestamp: 'TEXT',
  },
  exact: {
    'TEXT COLLATE NOCASE': [
      '12345678901234567890.123456789012345678',
      'NaN',
      'Infinity',
      '1.50',
      '0001-01-01',
      '9999-12-31',
    ],
    REAL: ['0.1', '-1.5', ['10', '10'], '1e+300', '0.30000000000000004', 'NaN'],
    NUMERIC: [['1.50', '1.5'], '12345678901234', '9223372036854775807'],
  },
  below100: 'INTEGER NOT NULL CHECK (small < 100)',
  series: (rows) => `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ${rows}) SELECT n FROM s`,
  queryTypes: { '"Two words"': 'INTEGER', word: 'VARCHAR(12)', at: 'TEXT', 'count(*)': '', '1.5': '' },
  refusesNul: false,
  failureSpoilsTransaction: false,
  seesOpenTransactions: false,
})

describe('SQLite', () => {
  let folder: string
  let adapter: Adapter
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-sqlite-'))
    adapter = createSqliteAdapter({ name: 'crm', url: `sqlite:${join(folder, 'x.db')}` })
  })
  after(async () => {
    await adapter.close()
    await adapter.close()
    await rm(folder, { recursive: true })
  })

  test('refuses values that a column would round or turn into something else', async () => {
    const connection = await adapter.acquire()
    await connection.query('CREATE TABLE t (id INTEGER PRIMARY KEY, i INT, r REAL, n NUMERIC, s TEXT)')
    await connection.begin('write')

    const result = await connection.merge(
      { table: 't', columns: ['id', 'i', 'r', 'n', 's'], key: ['id'] },
      blocksOf([
        ['1', '9223372036854775808', '1', '1', 'x'],
        ['2', '1', '0.12345678901234567890', '1', 'x'],
        ['3', '1', '1', '123456789012345678.12', 'x'],
        ['4', '1', 'Infinity', '0.10', '00.10'],
        ['5', '1.5', '1', '1', 'x'],
      ]),
    )

    await connection.commit()
    assert.deepEqual(
      result.rejected.map(({ row, column }) => [row, column]),
      [
        [0, 'i'],
        [1, 'r'],
        [2, 'n'],
        [4, 'i'],
      ],
    )
    const { rows } = await connection.query('SELECT r, typeof(r), n, s FROM t')
    assert.deepEqual(rows, [['Infinity', 'real', '0.1', '00.10']])
    await adapter.release(connection)
  })

  test('refuses keys that only the collation of the table takes for one', async () => {
    const connection = await adapter.acquire()
    await connection.query('CREATE TABLE k (code TEXT COLLATE NOCASE PRIMARY KEY, v TEXT)')
    await connection.query("INSERT INTO k VALUES ('Old', '1')")
    await connection.begin('write')

    const result = await connection.merge(
      { table: 'k', columns: ['code', 'v'], key: ['code'] },
      blocksOf([
        ['a', '1'],
        ['A', '2'],
        ['OLD', '3'],
        ['b', '4'],
        ['b', '5'],
      ]),
    )

    await connection.commit()
    assert.deepEqual(
      result.rejected.map(({ row }) => row),
      [0, 1, 2],
    )
    assert.deepEqual([result.inserted, result.duplicate], [1, 1])
    assert.deepEqual((await connection.query('SELECT * FROM k ORDER BY code')).rows, [
      ['b', '5'],
      ['Old', '1'],
    ])
    await adapter.release(connection)
  })

  test('runs several statements of one text, but not with bound values', async () => {
    const connection = await adapter.acquire()

    await connection.query(' CREATE TABLE m (a);\n INSERT INTO m VALUES (1); -- one\n INSERT INTO m VALUES (2); -- two')

    assert.deepEqual((await connection.query('SELECT a FROM m; /* no more */')).rows, [['1'], ['2']])
    await assert.rejects(connection.query('DELETE FROM m; SELECT ?', ['1']), { name: 'Terminal' })
    assert.equal((await connection.query('SELECT a FROM m')).rows.length, 2)
    await adapter.release(connection)
  })

  test('waits for another writer, and is Transient when it takes too long', async () => {
    const other = new DatabaseSync(join(folder, 'x.db'))
    other.exec('CREATE TABLE w (a); BEGIN IMMEDIATE')
    const connection = await adapter.acquire()
    const waiting = connection.begin('write')
    setTimeout(() => other.exec('COMMIT'), 100)

    await waiting

    await connection.rollback()
    other.exec('BEGIN IMMEDIATE')
    await assert.rejects(connection.query('INSERT INTO w VALUES (1)', [], { signal: AbortSignal.timeout(50) }), {
      name: 'Transient',
      message: /locked/,
    })
    other.exec('ROLLBACK')
    other.close()
    await adapter.release(connection)
  })

  test('keeps a database in memory until it is closed', async () => {
    const memory = createSqliteAdapter({ name: 'crm', url: 'sqlite::memory:' })
    const first = await memory.acquire()
    await first.query('CREATE TABLE t (a)')
    await first.begin('write')
    await first.query('INSERT INTO t VALUES (1)')
    await memory.release(first, true)

    const second = await memory.acquire()

    assert.deepEqual((await second.query('SELECT count(*) FROM t')).rows, [['0']])
    await memory.release(second)
    await memory.close()
  })

  test('a file that cannot be there is a Configuration error that names the variable', async () => {
    await writeFile(join(folder, 'text.db'), 'This is no database, but a text of some length. '.repeat(100))
    for (const url of [
      `sqlite:${join(folder, 'nowhere', 'x.db')}`,
      `sqlite:${join(folder, 'absent.db')}?mode=rw`,
      `sqlite:${join(folder, 'absent.db')}?mode=ro`,
      `sqlite:${folder}`,
      `sqlite:${join(folder, 'text.db')}`,
      'sqlite:',
    ]) {
      const absent = createSqliteAdapter({ name: 'my-crm', url })

      await assert.rejects(absent.acquire(), { name: 'Configuration', message: /MY_CRM_DATABASE_URL/ }, url)
    }
  })

  test('mode=ro reads and does not write', async () => {
    const reader = createSqliteAdapter({ name: 'crm', url: `sqlite:${join(folder, 'x.db')}?mode=ro` })
    const connection = await reader.acquire()

    await assert.rejects(connection.query('CREATE TABLE no (a)'), { name: 'Terminal', message: /readonly/ })
    assert.equal((await connection.settledUntil(0)).exact, false)
    await reader.release(connection)
    await reader.close()
  })
})
