import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import { ConfigurationError, TerminalError, TransientError } from 'dray/internal/errors.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { numbersTo } from '#test/services/mysql-speech.ts'
import { type OpenedServer, openServer, skip } from './opened-server.ts'

/** Ten milliards of rows: no client is looked at until one is found. */
const ENDLESS = `${numbersTo(100_000, 'a')}, ${numbersTo(100_000, 'b')}`
const SECRET = 'canary-5ecret'

/** The error of a first connection to a URL. */
async function connectError(url: string): Promise<Error> {
  const adapter = createMysqlAdapter({ name: 'warehouse', url })
  const error = await adapter.acquire().then(
    () => null,
    (reason: Error) => reason,
  )
  await adapter.close()
  assert.ok(error !== null)
  assert.ok(!`${error.message} ${error.stack}`.includes(SECRET))
  return error
}

describe('a connection of MySQL', { skip }, () => {
  let server: OpenedServer
  before(async () => {
    server = await openServer()
    await server.query('CREATE TABLE account (id bigint PRIMARY KEY, balance int NOT NULL)')
    await server.query('INSERT INTO account VALUES (1, 10), (2, 20)')
  })
  after(() => server.close())

  test('says what is wrong with a URL that leads nowhere, without its password', async () => {
    const changed = (change: (url: URL) => void) => {
      const url = new URL(server.url)
      change(url)
      return connectError(url.href)
    }

    const password = await changed((url) => {
      url.password = SECRET
    })
    const database = await changed((url) => {
      url.pathname = '/nowhere'
    })
    const port = await changed((url) => {
      url.port = '1'
      url.password = SECRET
    })
    const host = await changed((url) => {
      url.hostname = 'nowhere.invalid'
    })
    const malformed = await connectError(`mysql//${SECRET}`).catch((error: Error) => error)

    for (const error of [password, database, port, host]) assert.ok(error instanceof ConfigurationError, error.message)
    const wrong = isRealMysql
      ? /warehouse: .*asks for the password without TLS.*that is wrong.*Correct the password/
      : /warehouse: .*1045.*Correct the user and the password in the URL/
    assert.match(password.message, wrong)
    assert.match(database.message, /1049.*Create the database/)
    assert.match(port.message, /cannot connect to 127\.0\.0\.1:1\/.*Start the server/)
    assert.match(host.message, /nowhere\.invalid.*Correct the host/)
    assert.match(malformed.message, /the URL cannot be read/)
    assert.ok(!malformed.message.includes(SECRET))
  })

  test('names the remedy for a missing table or column', async () => {
    await assert.rejects(server.query('SELECT * FROM missing'), (error: Error) => {
      return error instanceof TerminalError && /1146.*Create the table/.test(error.message)
    })
    await assert.rejects(server.query('SELECT missing FROM account'), (error: Error) => {
      return error instanceof TerminalError && /1054.*Add the column/.test(error.message)
    })
  })

  test('keeps bound values out of its errors', async () => {
    await assert.rejects(server.query('SELECT * FROM missing WHERE a = ?', [SECRET]), (error: Error) => {
      return !JSON.stringify([error, error.cause, { ...(error.cause as object) }]).includes(SECRET)
    })
  })

  test('stops a statement when its signal says so, on the server too', async () => {
    const connection = await server.adapter.acquire()
    const [[id]] = (await connection.query('SELECT CONNECTION_ID()')).rows as [[string]]

    const signal = AbortSignal.timeout(50)
    await assert.rejects(
      connection.query(`SELECT COUNT(*) FROM ${ENDLESS} WHERE (a.seq + b.seq) % 7 = 8`, [], { signal }),
      TransientError,
    )
    await server.adapter.release(connection, true)

    const isRunning = async () => {
      const found = await server.query('SELECT 1 FROM information_schema.processlist WHERE id = ?', [id])
      return found.length > 0
    }
    const deadline = Date.now() + 10_000
    while ((await isRunning()) && Date.now() < deadline);
    assert.equal(await isRunning(), false)
  })

  test('refuses to start what is stopped already, and stays usable', async () => {
    const refused = server.connection.query('SELECT 1', [], { signal: AbortSignal.abort() })

    await assert.rejects(refused, TransientError)
    assert.deepEqual(await server.query('SELECT 1'), [['1']])
  })

  test('replaces an idle connection that the server has closed', async () => {
    const connection = await server.adapter.acquire()
    const [[id]] = (await connection.query('SELECT CONNECTION_ID()')).rows as [[string]]
    await server.adapter.release(connection)

    await server.query(`KILL ${id}`)
    const next = await server.adapter.acquire()
    const { rows } = await next.query('SELECT CONNECTION_ID() <> ?', [id])
    await server.adapter.release(next)

    assert.deepEqual(rows, [['1']])
  })

  test('rolls back a transaction that is given back open', async () => {
    const connection = await server.adapter.acquire()
    await connection.begin('write')
    await connection.query('UPDATE account SET balance = 0')
    await server.adapter.release(connection)

    assert.deepEqual(await server.query('SELECT balance FROM account ORDER BY id'), [['10'], ['20']])
  })

  test('reads a large result in pages and in little memory', async () => {
    let rows = 0
    let most = 0
    const used = () => process.memoryUsage().heapUsed + process.memoryUsage().external
    const start = used()

    for await (const page of server.connection.stream(`SELECT seq, REPEAT('x', 2000) FROM ${numbersTo(100_000)}`, [], {
      pageRows: 500,
    })) {
      rows += page.length
      // Time enough for the server to send all, if it were let.
      if (rows === 500) await new Promise((resolve) => setTimeout(resolve, 1_000))
      most = Math.max(most, used() - start)
    }

    assert.equal(rows, 100_000)
    assert.ok(most < 120 * 2 ** 20, `${most} bytes for a result of 200 MB`)
  })

  test('goes on in its transaction after a reading was abandoned', async () => {
    const { connection } = server
    await connection.begin('snapshot')
    const [[id]] = (await connection.query('SELECT CONNECTION_ID()')).rows as [[string]]

    for await (const block of connection.copyOut(`SELECT a.seq, b.seq FROM ${ENDLESS}`)) {
      assert.ok(block.rows > 0)
      break
    }
    const after_ = (await connection.query('SELECT CONNECTION_ID(), COUNT(*) FROM account')).rows
    await connection.rollback()

    assert.deepEqual(after_, [[id, '2']])
  })

  test('tells an error in the middle of a reading', async () => {
    const reading = server.connection.stream(
      `SELECT IF(seq < 5000, seq, (SELECT 1 UNION SELECT 2)) FROM ${numbersTo(6_000)}`,
    )

    await assert.rejects(async () => {
      for await (const page of reading) assert.ok(page.length > 0)
    }, /1242/)
    assert.deepEqual(await server.query('SELECT 1'), [['1']])
  })

  test('writes nothing more after a deadlock has undone its transaction', async () => {
    const [one, other] = [await server.adapter.acquire(), await server.adapter.acquire()]
    await one.begin('write')
    await other.begin('write')
    await one.query('UPDATE account SET balance = 1 WHERE id = 1')
    await other.query('UPDATE account SET balance = 2 WHERE id = 2')

    const results = await Promise.allSettled([
      one.query('UPDATE account SET balance = 1 WHERE id = 2'),
      other.query('UPDATE account SET balance = 2 WHERE id = 1'),
    ])
    const victim = results[0]?.status === 'rejected' ? one : other
    const survivor = victim === one ? other : one
    await assert.rejects(victim.query('UPDATE account SET balance = 99'), TransientError)
    await assert.rejects(victim.commit(), TransientError)
    await victim.rollback()
    await survivor.rollback()
    await server.adapter.release(one)
    await server.adapter.release(other)

    const reasons = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason)
    assert.deepEqual(
      reasons.map(({ name }) => name),
      ['Transient'],
    )
    assert.deepEqual(await server.query('SELECT balance FROM account ORDER BY id'), [['10'], ['20']])
  })

  test('reads one state in a snapshot, and writes nothing there', async () => {
    const other = await server.adapter.acquire()
    const { connection } = server
    await connection.begin('snapshot')

    await other.query('INSERT INTO account VALUES (3, 30)')
    const seen = await server.query('SELECT COUNT(*) FROM account')
    await assert.rejects(connection.query('DELETE FROM account'))
    await connection.rollback()
    await other.query('DELETE FROM account WHERE id = 3')
    await server.adapter.release(other)

    assert.deepEqual(seen, [['2']])
    assert.deepEqual(await server.query('SELECT COUNT(*) FROM account'), [['2']])
  })

  test('refuses a statement that would commit the transaction', async () => {
    const { connection } = server
    await connection.begin('write')
    await connection.query('UPDATE account SET balance = 0')

    await assert.rejects(connection.query('CREATE TABLE sudden (id int)'), TerminalError)
    await assert.rejects(connection.query(' /* x */ truncate account'), TerminalError)
    await connection.query('CREATE TEMPORARY TABLE passing (id int)')
    await connection.query('DROP TEMPORARY TABLE passing')
    await connection.rollback()

    assert.deepEqual(await server.query('SELECT balance FROM account ORDER BY id'), [['10'], ['20']])
  })

  test('undoes what came after a savepoint', async () => {
    const { connection } = server
    await connection.begin('write')
    await connection.query('UPDATE account SET balance = 11 WHERE id = 1')

    await connection.savepoint('inner`1')
    await connection.query('UPDATE account SET balance = 12 WHERE id = 1')
    await connection.rollbackTo('inner`1')
    await connection.releaseSavepoint('inner`1')
    const seen = await server.query('SELECT balance FROM account WHERE id = 1')
    await connection.rollback()

    assert.deepEqual(seen, [['11']])
  })

  test('describes a table with its keys, and knows that there is none', async () => {
    await server.query(
      'CREATE TABLE described (a bigint unsigned AUTO_INCREMENT, b varchar(200) NOT NULL, c int DEFAULT 5, d date, e int AS (c + 1), PRIMARY KEY (a, b), UNIQUE KEY u (d, c))',
    )

    const table = await server.connection.describe('described')
    const qualified = await server.connection.describe(`${new URL(server.url).pathname.slice(1)}.described`)

    // MySQL gives integers no width any more.
    const withoutWidth = table?.columns.map((column) => ({ ...column, type: column.type.replace(/int\(\d+\)/, 'int') }))
    assert.deepEqual(
      { ...table, columns: withoutWidth },
      {
        columns: [
          {
            name: 'a',
            type: 'bigint unsigned',
            nullable: false,
            hasDefault: true,
            isComputed: false,
            isNumbered: true,
          },
          { name: 'b', type: 'varchar(200)', nullable: false, hasDefault: false, isComputed: false },
          { name: 'c', type: 'int', nullable: true, hasDefault: true, isComputed: false },
          { name: 'd', type: 'date', nullable: true, hasDefault: false, isComputed: false },
          { name: 'e', type: 'int', nullable: true, hasDefault: true, isComputed: true },
        ],
        primaryKey: ['a', 'b'],
        uniqueKeys: [['d', 'c']],
      },
    )
    assert.deepEqual(qualified, table)
    assert.equal(await server.connection.describe('missing'), null)
  })
})
