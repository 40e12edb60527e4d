import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import { decodeBlock } from 'dray/internal/block/copy-text.ts'
import { DataQualityError, TerminalError } from 'dray/internal/errors.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { numbersTo } from '#test/services/mysql-speech.ts'
import { inTransaction, type OpenedServer, openServer, skip } from './opened-server.ts'

/** MariaDB's JSON is text; MySQL's own is written anew. */
const OF_ONE_SERVER: readonly (readonly [type: string, sql: string, text: Text])[] = isRealMysql
  ? [['json', `'{"n": 12345678901234567890, "m": 1.0}'`, '{"m": 1.0, "n": 12345678901234567890}']]
  : [
      ['json', `'{"n": 12345678901234567890, "n": 1.0}'`, '{"n": 12345678901234567890, "n": 1.0}'],
      ['uuid', "'123e4567-e89b-12d3-a456-426614174000'", '123e4567-e89b-12d3-a456-426614174000'],
    ]

/** Each value as SQL that the column's type takes, and as the text that it is read as. */
const VALUES: readonly (readonly [type: string, sql: string, text: Text])[] = [
  ['bigint', '9223372036854775807', '9223372036854775807'],
  ['bigint', '-9223372036854775808', '-9223372036854775808'],
  ['bigint unsigned', '18446744073709551615', '18446744073709551615'],
  ['int(6) zerofill', '42', '000042'],
  ['tinyint(1)', '1', '1'],
  ['year', '2024', '2024'],
  ['decimal(38,18)', '-12345678901234567890.123456789012345678', '-12345678901234567890.123456789012345678'],
  ['double', '1.7976931348623157e308', '1.7976931348623157e308'],
  ['date', "'0001-01-01'", '0001-01-01'],
  ['date', "'0000-00-00'", '0000-00-00'],
  ['datetime(6)', "'9999-12-31 23:59:59.999999'", '9999-12-31 23:59:59.999999'],
  ['datetime', "'2024-01-01 00:00:00'", '2024-01-01 00:00:00'],
  ['timestamp(6)', "'2024-01-01 00:00:00.000001'", '2024-01-01 00:00:00.000001'],
  ['timestamp', "'0000-00-00 00:00:00'", '0000-00-00 00:00:00'],
  ['time(3)', "'-838:59:58.999'", '-838:59:58.999'],
  ["enum('small','it''s')", "'it''s'", "it's"],
  ["set('a','b','c')", "'c,a'", 'a,c'],
  ...OF_ONE_SERVER,
  ['bit(10)', "b'1000000001'", '\\x0201'],
  ['blob', "x'00ff80'", '\\x00ff80'],
  ['blob', "''", '\\x'],
  ['varbinary(8)', "x'c328'", '\\xc328'],
  ['binary(3)', "'a'", '\\x610000'],
  ['geometry', 'POINT(1, 2)', '\\x000000000101000000000000000000f03f0000000000000040'],
  ['varchar(20)', "''", ''],
  ['varchar(20)', "'a  '", 'a  '],
  ['varchar(20)', "'\u{1F600} e\u0301 \u2028'", '\u{1F600} e\u0301 \u2028'],
  ['varchar(20) character set latin1', "'\u00e4\u20ac'", '\u00e4\u20ac'],
  ['longtext', "REPEAT('\u00e4', 1000000)", '\u00e4'.repeat(1_000_000)],
  ['bigint', 'NULL', null],
]

describe('values of MySQL', { skip }, () => {
  let server: OpenedServer
  before(async () => {
    // MySQL takes no zero dates by default.
    server = await openServer({ arguments: ['--sql-mode=STRICT_TRANS_TABLES'] })
    const columns = VALUES.map(([type], index) => `c${index} ${type} NULL`)
    await server.query(`CREATE TABLE held (id bigint PRIMARY KEY, ${columns.join(', ')})`)
    await server.query(`INSERT INTO held VALUES (1, ${VALUES.map(([, sql]) => sql).join(', ')})`)
  })
  after(() => server.close())

  test('are read as the text of the server, by every way of reading', async () => {
    const expected = ['1', ...VALUES.map(([, , text]) => text)]

    const queried = await server.query('SELECT * FROM held')
    const streamed: unknown[] = []
    for await (const page of server.connection.stream('SELECT * FROM held')) streamed.push(...page)
    const copied: unknown[] = []
    for await (const block of server.connection.copyOut('SELECT * FROM held')) copied.push(...decodeBlock(block))

    assert.deepEqual(queried, [expected])
    assert.deepEqual(streamed, [expected])
    assert.deepEqual(copied, [expected])
  })

  test('arrive unchanged by copyOut and merge, and are equal when they come again', async () => {
    const name = 'held_copy'
    await server.query(`CREATE TABLE ${name} LIKE held`)
    const columns = ['id', ...VALUES.map((_, index) => `c${index}`)]
    const blocks = await Array.fromAsync(server.connection.copyOut('SELECT * FROM held'))
    const merge = () =>
      inTransaction(server.connection, () =>
        server.connection.merge({ table: name, columns, key: ['id'], ignore: ['c3'] }, () => blocks),
      )

    const first = await merge()
    const again = await merge()
    const [difference] = await server.query(
      `SELECT ${columns.map((column) => `CAST(a.${column} AS BINARY) <=> CAST(b.${column} AS BINARY)`).join(', ')} FROM held a JOIN ${name} b USING (id)`,
    )

    assert.deepEqual(first, { inserted: 1, updated: 0, unchanged: 0, duplicate: 0, rejected: [] })
    assert.deepEqual(again, { inserted: 0, updated: 0, unchanged: 1, duplicate: 0, rejected: [] })
    assert.deepEqual(
      difference,
      columns.map(() => '1'),
    )
  })

  test('are bound whatever they hold, next to question marks that are text', async () => {
    const hostile = [
      "'",
      "''",
      '"',
      '\\',
      '\\\\',
      "\\' OR 1=1 -- ",
      "1'; DROP TABLE held; -- ",
      '`',
      '%_',
      '\0',
      '\b\t\n\r\x1a',
      '/*',
      '#',
    ]
    const foreign = [
      '?',
      '??',
      ':a',
      '',
      ' ',
      '\u{1F600}',
      '\uFEFF',
      '\u202Etxt',
      '\u5C0D\u4E0D\u8D77',
      '\u0e02\u0e49\u0e2d',
      '1e400',
      '1000000000000000000000000',
    ]
    const values = [...hostile, ...foreign, [...hostile, ...foreign].join('')]

    for (const value of values) {
      const rows = await server.query("SELECT ?, '?', \"?\" /* ? */, '\\'?' -- ?\n, ? IS NULL AS `?`", [value, null])
      assert.deepEqual(rows, [[value, '?', '?', "'?", '1']])
    }
    assert.deepEqual(await server.query('SELECT ?', [Buffer.from([0, 255, 39])]), [['\\x00ff27']])
  })

  test('are counted by their placeholders, and a half character is refused', async () => {
    await assert.rejects(server.query('SELECT ?', ['1', '2']), TerminalError)
    await assert.rejects(server.query('SELECT ?, ?', ['1']), TerminalError)
    await assert.rejects(server.query('SELECT ?', ['\ud800']), DataQualityError)
  })

  test('limit a result, though MySQL takes no text there', async () => {
    const rows = await server.query(`SELECT seq FROM ${numbersTo(10)} ORDER BY seq LIMIT ? OFFSET ?`, ['2', '3'])

    assert.deepEqual(rows, [['4'], ['5']])
  })

  test('are compared with a text of the statement, by one collation, whatever is in them', async () => {
    assert.deepEqual(await server.query("SELECT 1 FROM dual WHERE ? = 'a'", ['a']), [['1']])
    assert.deepEqual(await server.query("SELECT CONCAT(?, '1') = ?, 'b' IN (?, ?)", ['\\', '\\1', '\\', 'b']), [
      ['1', '1'],
    ])
  })

  test('above 2^53 are compared exactly with a bound text', async () => {
    await server.query('CREATE TABLE big (id bigint PRIMARY KEY)')
    await server.query('INSERT INTO big VALUES (9007199254740992), (9007199254740993)')

    const equal = await server.query('SELECT id FROM big WHERE id = ?', ['9007199254740993'])
    const greater = await server.query('SELECT id FROM big WHERE id > ?', ['9007199254740992'])

    assert.deepEqual(equal, [['9007199254740993']])
    assert.deepEqual(greater, [['9007199254740993']])
  })

  test('keep columns of one name apart, and hostile names as they are', async () => {
    const names = ['__proto__', 'constructor', 'order', 'a"b', 'a`b', 'same', 'same']

    const { quote } = server.adapter
    const result = await server.connection.query(
      `SELECT ${names.map((name, index) => `${index} AS ${quote(name)}`).join(', ')}`,
    )

    assert.deepEqual(result.columns, names)
    assert.deepEqual(result.rows, [['0', '1', '2', '3', '4', '5', '6']])
  })

  test('count as affected when they change, not when they are found', async () => {
    await server.query('CREATE TABLE counted (id int PRIMARY KEY, v int)')

    const inserted = await server.connection.query('INSERT INTO counted VALUES (1, 1), (2, 2)')
    const updated = await server.connection.query('UPDATE counted SET v = 2')

    assert.deepEqual([inserted.affected, updated.affected], [2, 1])
  })
})

/** A server in a zone with summer time, without strict mode, without backslash escapes, that counts in steps. */
describe('values of a MySQL that is set up otherwise', { skip }, () => {
  let server: OpenedServer
  before(async () => {
    server = await openServer({
      arguments: ['--sql-mode=NO_BACKSLASH_ESCAPES', '--auto-increment-increment=3', '--auto-increment-offset=2'],
      systemTimeZone: 'EET-2EEST,M3.5.0/3,M10.5.0/4',
    })
  })
  after(() => server.close())

  test('keep instants in UTC through the hour that comes twice', async () => {
    await server.query('CREATE TABLE moment (id int PRIMARY KEY, at timestamp(6) NULL)')
    const instants = ['2024-10-27 00:30:00.000001', '2024-10-27 01:30:00.000002', '2024-03-31 01:30:00.000003']
    await server.query(`INSERT INTO moment VALUES (1, ?), (2, ?), (3, ?)`, instants)
    await server.query('CREATE TABLE merged LIKE moment')

    const blocks = await Array.fromAsync(server.connection.copyOut('SELECT id, at FROM moment'))
    const target = { table: 'merged', columns: ['id', 'at'], key: ['id'] }
    const result = await inTransaction(server.connection, () => server.connection.merge(target, () => blocks))
    const read = await server.query('SELECT at FROM merged ORDER BY id')
    const found = await server.query('SELECT id FROM merged WHERE at = ?', [instants[1] as string])
    const [seconds] = await server.query('SELECT UNIX_TIMESTAMP(at) FROM merged WHERE id = 2')

    assert.deepEqual(result.rejected, [])
    assert.deepEqual(read.flat(), instants)
    assert.deepEqual(found, [['2']])
    assert.deepEqual(seconds, [`${Date.UTC(2024, 9, 27, 1, 30) / 1000}.000002`])
  })

  test('bind backslashes as they are', async () => {
    const rows = await server.query("SELECT ?, '\\', ?", ['\\', "\\' ?"])

    assert.deepEqual(rows, [['\\', '\\', "\\' ?"]])
  })

  test('are refused where the server would have changed them', async () => {
    await server.query('CREATE TABLE strict_ (id int PRIMARY KEY, name varchar(3), at date)')

    await assert.rejects(server.query("INSERT INTO strict_ VALUES (1, 'long', NULL)"), (error: Error) => {
      return error instanceof DataQualityError && error.code === '1406' && error.field === 'name'
    })
    await assert.rejects(server.query("INSERT INTO strict_ VALUES ('x', 'a', NULL)"), DataQualityError)
    await assert.rejects(server.query("INSERT INTO strict_ VALUES (1, 'a', '2024-02-30')"), DataQualityError)
  })

  test('are merged and rejected as anywhere else', async () => {
    await server.query('CREATE TABLE merged_too (id bigint PRIMARY KEY AUTO_INCREMENT, name varchar(3), note text)')
    const target = { table: 'merged_too', columns: ['id', 'name', 'note'], key: ['id'] }

    const result = await server.merge(target, [
      ['0', 'a', '\\n is no line end'],
      ['1', 'long', null],
      ['x', 'b', null],
      ['2', 'c', '\t\n\r\\\\'],
    ])

    assert.deepEqual(await server.query('SELECT * FROM merged_too ORDER BY id'), [
      ['0', 'a', '\\n is no line end'],
      ['2', 'c', '\t\n\r\\\\'],
    ])
    assert.deepEqual(
      result.rejected.map(({ row, code, column }) => [row, code, column]),
      [
        [1, '1406', 'name'],
        [2, '1366', 'id'],
      ],
    )
  })
})
