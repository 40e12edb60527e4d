import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { decodeBlock } from 'dray/internal/block/copy-text.ts'
import type { Adapter, Connection } from 'dray/internal/database/adapter.ts'
import { createPostgresAdapter } from 'dray/internal/database/postgres/index.ts'
import { adapterContract, blocksOf } from '#test/contracts/adapter.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'

let server: TestPostgres
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

const open = async () => {
  const url = await server.createDatabase()
  return { adapter: createPostgresAdapter({ name: 'warehouse', url, maxConnections: 3 }), close: async () => {} }
}

adapterContract('PostgreSQL', {
  open,
  types: {
    bigint: 'bigint',
    integer: 'integer',
    text: 'text',
    varchar: (length) => `varchar(${length})`,
    binary: 'bytea',
    timestamp: 'timestamp',
  },
  exact: {
    'numeric(38,18)': ['12345678901234567890.123456789012345678', '-0.000000000000000001', 'NaN'],
    numeric: ['NaN', 'Infinity', '-Infinity', '1.50', '1.5', '1e-5'].map((text) =>
      text === '1e-5' ? [text, '0.00001'] : text,
    ),
    'double precision': ['NaN', 'Infinity', '-Infinity', '-0', '0.1', '5e-324', '1.7976931348623157e+308'],
    real: ['1.1', '16777216'].map((text) => (text === '16777216' ? [text, '1.6777216e+07'] : text)),
    timestamp: ['infinity', '-infinity', '0001-01-01 00:00:00', '9999-12-31 23:59:59.999999', '2024-03-31 03:30:00'],
    timestamptz: [
      ['2024-01-01 02:00:00.123456+02', '2024-01-01 00:00:00.123456+00'],
      ['0001-01-01 00:00:00', '0001-01-01 00:00:00+00'],
      'infinity',
    ],
    date: ['0001-01-01', '9999-12-31', 'infinity', '2024-02-29'],
    time: ['23:59:59.999999', '24:00:00'],
    interval: ['1 mon -3 days +04:05:06.789'].map((text) => [text, '1 mon -3 days +04:05:06.789'] as const),
    boolean: ['t', 'f'],
    uuid: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    json: ['{"a":1.0000000000000000001,"a":12345678901234567890}', ' [1 , 2]'],
    jsonb: ['{"a": 1.0000000000000000001}'],
    'text[]': ['{a,"b c",NULL,"\\\\"}'],
    'char(5)': [['ab', 'ab   ']],
    'bit(3)': ['101'],
    point: ['(1,2)'],
  },
  below100: 'integer NOT NULL CHECK (small < 100)',
  series: (rows) => `SELECT n FROM generate_series(1, ${rows}) n ORDER BY n`,
  queryTypes: {
    '"Two words"': 'bigint',
    word: 'character varying(12)',
    at: 'timestamp without time zone',
    'count(*)': 'bigint',
    'sum("Two words")': 'numeric',
    'cast(1 AS numeric(7,2))': 'numeric(7,2)',
    "'x'": 'text',
    '1 > 0': 'boolean',
    'array_agg(word)': 'character varying[]',
    // A domain over numeric's kin is the type that it is made of.
    "cast('x' AS information_schema.character_data)": 'character varying',
  },
  refusesNul: true,
  failureSpoilsTransaction: true,
  seesOpenTransactions: true,
  server: {
    session: 'SELECT pg_backend_pid()',
    async kill(connection, session) {
      await connection.query('SELECT pg_terminate_backend($1::int, 10000)', [session])
    },
    sleep: (seconds) => `SELECT pg_sleep(${seconds})`,
    running: (session) =>
      `SELECT 1 FROM pg_stat_activity WHERE pid = ${session} AND state = 'active' AND query LIKE '%pg_sleep%'`,
  },
})

describe('PostgreSQL', () => {
  let adapter: Adapter
  let url: string
  before(async () => {
    url = await server.createDatabase()
    adapter = createPostgresAdapter({ name: 'warehouse', url, maxConnections: 3 })
  })
  after(async () => {
    await adapter.close()
    await adapter.close()
  })

  async function using<T>(work: (connection: Connection) => Promise<T>, of = adapter): Promise<T> {
    const connection = await of.acquire()
    try {
      return await work(connection)
    } finally {
      await of.release(connection)
    }
  }

  test('reads the same text whatever the settings of the server', async () => {
    await using(async (connection) => {
      const name = new URL(url).pathname.slice(1)
      await connection.query(
        `ALTER DATABASE "${name}" SET datestyle = 'SQL, DMY'; ALTER DATABASE "${name}" SET timezone = 'Asia/Kathmandu';
         ALTER DATABASE "${name}" SET intervalstyle = 'iso_8601'; ALTER DATABASE "${name}" SET bytea_output = 'escape'; ALTER DATABASE "${name}" SET extra_float_digits = 0`,
      )
    })
    const other = createPostgresAdapter({ name: 'warehouse', url })

    const rows = await using(async (connection) => {
      await connection.begin('snapshot')
      const result = await connection.query(
        `SELECT date '2024-02-29', timestamptz '2024-01-01 00:00:00+00', interval '1 day', bytea '\\x00ff', 0.1::float8 + 0.2::float8`,
      )
      await connection.commit()
      return result.rows
    }, other)

    await other.close()
    assert.deepEqual(rows, [['2024-02-29', '2024-01-01 00:00:00+00', '1 day', '\\x00ff', '0.30000000000000004']])
  })

  test('form feed, vertical tab and backspace are copied raw, since LOAD DATA reads their escapes as letters', async () => {
    await using(async (connection) => {
      const bytes: Buffer[] = []

      for await (const block of connection.copyOut("SELECT $1, 'x'", ['\f\v\b\\f\\\f'])) bytes.push(block.bytes)

      assert.deepEqual(Buffer.concat(bytes), Buffer.from('\f\v\b\\\\f\\\\\f\tx\n'))
    })
  })

  test('binds values into a copy whatever the SQL around them', async () => {
    await using(async (connection) => {
      const blocks = []
      const sql = `SELECT $1, E'it\\'s $1', $tag$ $1 ' $tag$, "$1", /* /* $1 */ ' */ $2::bytea FROM (SELECT 1 AS "$1") a$1 -- $1`
      for await (const block of connection.copyOut(sql, ["O'Neil \\ $2", Buffer.from([0, 255])])) blocks.push(block)

      assert.deepEqual(blocks.flatMap(decodeBlock), [["O'Neil \\ $2", "it's $1", " $1 ' ", '1', '\\x00ff']])
    })
  })

  test('a statement may run between two pages of a stream in a transaction', async () => {
    await using(async (connection) => {
      await connection.query('CREATE TABLE paged AS SELECT n, 0 AS seen FROM generate_series(1, 30) n')
      await connection.begin('write')

      for await (const page of connection.stream('SELECT n FROM paged WHERE n > $1 ORDER BY n', ['10'], {
        pageRows: 5,
      })) {
        await connection.query('UPDATE paged SET seen = 1 WHERE n BETWEEN $1 AND $2', [
          page[0]?.[0] ?? '',
          page.at(-1)?.[0] ?? '',
        ])
      }

      await connection.commit()
      assert.deepEqual((await connection.query('SELECT sum(seen) FROM paged')).rows, [['20']])
    })
  })

  test('outside a transaction a stream keeps its connection to itself', async () => {
    await using(async (connection) => {
      for await (const page of connection.stream('SELECT 1')) {
        assert.equal(page.length, 1)
        await assert.rejects(connection.query('SELECT 2'), { name: 'Terminal', message: /stream/ })
      }
      assert.deepEqual((await connection.query('SELECT 2')).rows, [['2']])
    })
  })

  test('a merge leaves no temporary table and no savepoint behind', async () => {
    await using(async (connection) => {
      await connection.query('CREATE TABLE clean (id int PRIMARY KEY CHECK (id < 10))')
      await connection.begin('write')
      const savepoints: string[] = []

      await connection.merge({ table: 'clean', columns: ['id'], key: ['id'] }, blocksOf([['1'], ['x'], ['11'], ['2']]))

      const { rows } = await connection.query('SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()')
      for (const kind of ['merge', 'isolate', 'try']) {
        for (let number = 1; number < 100; number++) savepoints.push(`dray_${kind}_${number}`)
      }
      for (const savepoint of savepoints) {
        await connection.savepoint('probe')
        await assert.rejects(connection.rollbackTo(savepoint), /does not exist/)
        await connection.rollbackTo('probe')
      }
      await connection.commit()
      assert.deepEqual(rows, [])
      assert.deepEqual((await connection.query('SELECT id FROM clean ORDER BY 1')).rows, [['1'], ['2']])
    })
  })

  test('refuses values that a column would round or cut', async () => {
    await using(async (connection) => {
      await connection.query(
        'CREATE TABLE narrow (id int PRIMARY KEY, n numeric(6,2), h numeric(5,-2), v varchar(3), at timestamp(0), t time(3))',
      )
      await connection.begin('write')
      const into = { table: 'narrow', columns: ['id', 'n', 'h', 'v', 'at', 't'], key: ['id'] }
      const fine = ['0.5', '1200', 'ab', '2024-01-01 00:00:00', '01:02:03.004']
      const lossy = [
        [0, '0.505'],
        [1, '1210'],
        [2, 'abc '],
        [2, 'äöüß'],
        [3, '2024-01-01 00:00:00.5'],
        [4, '01:02:03.0004'],
        [0, '10000'],
      ] as const

      const result = await connection.merge(
        into,
        blocksOf([
          ['1', ...fine],
          ['2', 'NaN', null, 'abc', 'infinity', null],
          ...lossy.map(([column, value], index) => {
            const row = ['1', ...fine]
            row[0] = String(index + 10)
            row[column + 1] = value
            return row
          }),
          ['1', ...fine],
        ]),
      )
      const again = await connection.merge(into, blocksOf([['1', ...fine]]))

      await connection.commit()
      assert.deepEqual([result.inserted, result.duplicate, again.unchanged], [2, 1, 1])
      assert.deepEqual(
        result.rejected.map(({ row, column, code }) => [row, column, code]),
        [
          [2, 'n', '22000'],
          [3, 'h', '22000'],
          [4, 'v', '22001'],
          [5, 'v', '22001'],
          [6, 'at', '22000'],
          [7, 't', '22000'],
          [8, null, '22003'],
        ],
      )
    })
  })

  test('merges into a partitioned table, an identity column, types without equality and another schema', async () => {
    await using(async (connection) => {
      await connection.query(
        `CREATE SCHEMA "other.x"; CREATE SCHEMA other;
         CREATE TABLE other.parts (id bigint GENERATED ALWAYS AS IDENTITY, doc json, at point, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE other.low PARTITION OF other.parts FOR VALUES FROM (0) TO (100)`,
      )
      const into = { table: 'other.parts', columns: ['id', 'doc', 'at'], key: ['id'] }
      await connection.begin('write')
      await connection.merge(
        into,
        blocksOf([
          ['1', '{"a": 1}', '(1,2)'],
          ['2', '{}', null],
        ]),
      )

      const result = await connection.merge(
        into,
        blocksOf([
          ['1', '{"a":1}', '(1,2)'],
          ['2', '{}', null],
          ['200', '{}', null],
        ]),
      )

      await connection.commit()
      assert.deepEqual([result.updated, result.unchanged, result.rejected[0]?.row], [1, 1, 2])
      assert.deepEqual((await connection.describe('other.parts'))?.primaryKey, ['id'])
    })
  })

  test('a key that another transaction inserts meanwhile is updated, not lost', async () => {
    await using(async (connection) => {
      await connection.query('CREATE TABLE raced (id int PRIMARY KEY, v text)')
      await connection.begin('write')
      const other = await adapter.acquire()
      await other.begin('write')
      await other.query("INSERT INTO raced VALUES (1, 'theirs')")

      const merging = connection.merge(
        { table: 'raced', columns: ['id', 'v'], key: ['id'] },
        blocksOf([
          ['1', 'ours'],
          ['2', 'ours'],
        ]),
      )
      await using(async (watcher) => {
        const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        while ((await watcher.query(waiting)).rows.length === 0);
      })
      await other.commit()

      const result = await merging
      await connection.commit()
      await adapter.release(other)
      assert.deepEqual(result, { inserted: 1, updated: 1, unchanged: 0, duplicate: 0, rejected: [] })
      assert.deepEqual((await connection.query('SELECT v FROM raced ORDER BY id')).rows, [['ours'], ['ours']])
    })
  })

  test('a failure of the source of rows ends the merge, and the transaction goes on', async () => {
    await using(async (connection) => {
      await connection.query('CREATE TABLE sourced (id int PRIMARY KEY)')
      await connection.begin('write')
      async function* failing() {
        yield* blocksOf([['1']])()
        throw new Error('the staged object is short')
      }

      await assert.rejects(
        connection.merge({ table: 'sourced', columns: ['id'], key: ['id'] }, failing),
        /staged object is short/,
      )

      assert.deepEqual((await connection.query('SELECT * FROM sourced')).rows, [])
      await connection.commit()
    })
  })

  test('says that the horizon is not exact when sessions of other roles are hidden', async () => {
    const role = `plain_${new URL(url).pathname.slice(1)}`
    const plainUrl = new URL(url)
    plainUrl.username = role
    plainUrl.password = 'secret'
    await using((connection) => connection.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`))
    const plain = createPostgresAdapter({ name: 'sales', url: plainUrl.href })

    const hidden = await using((connection) => connection.settledUntil(0), plain)
    await plain.close()
    await using((connection) => connection.query(`GRANT pg_read_all_stats TO ${role}`))
    const granted = createPostgresAdapter({ name: 'sales', url: plainUrl.href })
    const seen = await using((connection) => connection.settledUntil(0), granted)

    await granted.close()
    await using((connection) => connection.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`))
    assert.equal(hidden.exact, false)
    assert.match(hidden.reason ?? '', /pg_read_all_stats/)
    assert.deepEqual([seen.exact, seen.reason], [true, null])
  })

  test('what cannot be connected to is a Configuration error without the password', async () => {
    const port = await freePort()
    const wrong = new URL(url)
    wrong.pathname = '/absent'
    for (const [bad, message] of [
      [`postgres://u:s3cret@127.0.0.1:${port}/db`, /ECONNREFUSED/],
      ['postgres://u:s3cret@no-such-host.invalid/db', /no-such-host\.invalid:5432/],
      [wrong.href, /"absent" does not exist/],
      [`${url}?sslmode=require`, /SSL/],
      [`${url}?sslmode=maybe`, /sslmode "maybe"/],
      [`${url}?colour=red`, /"colour"/],
      ['postgres://u:s3cret@host:99999/db', /cannot be read/],
      ['postgres:', /cannot be read/],
      ['postgres://localhost', /names no database/],
    ] as const) {
      const absent = createPostgresAdapter({ name: 'my-crm', url: bad })

      const error: Error = await absent.acquire().then(
        () => assert.fail(bad),
        (reason) => reason,
      )

      assert.equal(error.name, 'Configuration', `${bad}: ${error.message}`)
      assert.match(error.message, message)
      assert.match(error.message, /MY_CRM_DATABASE_URL/)
      assert.doesNotMatch(error.message, /s3cret/)
      await absent.close()
    }
  })

  test('asks for a short-lived password for each new connection', async () => {
    let asked = 0
    const role = `iam_${new URL(url).pathname.slice(1)}`
    await using((connection) => connection.query(`CREATE ROLE ${role} LOGIN PASSWORD 'right'`))
    const named = new URL(url)
    named.username = role
    named.password = ''
    const short = createPostgresAdapter({
      name: 'sales',
      url: named.href,
      password: async () => {
        asked += 1
        return 'right'
      },
    })

    const [one, two] = [await short.acquire(), await short.acquire()]

    await short.release(one)
    await short.release(two)
    await short.close()
    await using((connection) => connection.query(`DROP ROLE ${role}`))
    assert.ok(asked === 2 || asked === 0, 'a server that trusts asks for none')
  })

  test('a black hole between the two ends by the signal', async () => {
    const hole = createServer((socket) => socket.on('error', () => {}))
    await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve))
    const { port } = hole.address() as { port: number }
    const lost = createPostgresAdapter({ name: 'sales', url: `postgres://u@127.0.0.1:${port}/db?connect_timeout=1` })

    await assert.rejects(lost.acquire(), { name: 'Configuration', message: /timeout/ })

    await lost.close()
    hole.close()
  })
})

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as { port: number }
  await new Promise((resolve) => probe.close(resolve))
  return port
}
