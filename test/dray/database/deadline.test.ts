import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import type { Text } from 'dray/internal/block/block.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { withDeadline } from 'dray/internal/database/deadline.ts'
import { mysqlUnavailable, startMysqlServer } from '#test/services/mysql-server.ts'
import { startPostgres } from '#test/services/postgres.ts'

interface Speech {
  readonly lock: string
  readonly waiting: string
  readonly lockTimeout: string
}

const SPEECH: Readonly<Record<'postgres' | 'mariadb', Speech>> = {
  postgres: {
    lock: 'select n from deadline_row for update',
    waiting: "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    lockTimeout: "select current_setting('lock_timeout')",
  },
  mariadb: {
    lock: 'select n from deadline_row for update',
    waiting: "select count(*) from information_schema.innodb_trx where trx_state = 'LOCK WAIT'",
    lockTimeout: 'select @@innodb_lock_wait_timeout',
  },
}

interface Server {
  createDatabase(): Promise<string>
  stop(): Promise<void>
}

const isTransient = { name: 'Transient' }

function suite(engine: 'postgres' | 'mariadb', start: () => Promise<Server>): void {
  const one = database(`deadline-${engine}`, { maxConnections: 1 })
  const other = database(`deadline-other-${engine}`)
  const observer = database(`deadline-observer-${engine}`)
  const speech = SPEECH[engine]
  let server: Server

  const scalar = async (sql: string, from = other): Promise<Text> => (await from.query(sql)).rows[0]?.[0] ?? null
  const untilWaiting = async () => {
    // MariaDB reads its transactions anew only after nobody has looked for 0.1 s.
    while ((await scalar(speech.waiting, observer)) === '0') await new Promise((resolve) => setTimeout(resolve, 110))
  }

  before(async () => {
    server = await start()
    const url = await server.createDatabase()
    for (const { name } of [one, other, observer]) process.env[urlVariable(name)] = url
    await other.query('create table deadline_row (n bigint primary key)')
    await other.query('insert into deadline_row values (1)')
  })
  after(async () => {
    await Promise.all([one.close(), other.close(), observer.close()])
    await server.stop()
  })

  test('a statement that is given no signal stops at the deadline while it waits for a lock', async () => {
    const deadline = new AbortController()

    await other.transaction(async () => {
      await other.query(speech.lock)
      const waiting = withDeadline(deadline.signal, () => one.transaction(() => one.query(speech.lock)))
      const refused = assert.rejects(waiting, isTransient)
      await untilWaiting()
      deadline.abort()

      await refused
    })

    // The pool has one connection, which is not the one that was given up.
    assert.equal(await scalar('select n from deadline_row', one), '1')
  })

  test('nothing is sent once the deadline has passed, and what was open is rolled back', async () => {
    const deadline = new AbortController()

    const work = withDeadline(deadline.signal, () =>
      one.transaction(async () => {
        await one.query('insert into deadline_row values (2)')
        deadline.abort()
      }),
    )

    await assert.rejects(work, isTransient)
    assert.equal(await scalar('select count(*) from deadline_row'), '1')
  })

  test('a connection that others keep is waited for until the deadline, and used by the next', async () => {
    const deadline = new AbortController()
    const begun = Promise.withResolvers<void>()
    const freed = Promise.withResolvers<void>()
    const busy = one.transaction(() => {
      begun.resolve()
      return freed.promise
    })
    await begun.promise

    const late = withDeadline(deadline.signal, () => one.query('select 1'))
    setImmediate(() => deadline.abort())

    await assert.rejects(late, isTransient)
    freed.resolve()
    await busy
    assert.equal(await scalar('select n from deadline_row', one), '1')
  })

  test('the server itself gives up a wait for a lock after five minutes, where the line may be dead', async () => {
    const { signal } = new AbortController()

    const limit = await withDeadline(signal, () => other.transaction(() => scalar(speech.lockTimeout)))

    assert.equal(limit, engine === 'postgres' ? '5min' : '300')
  })
}

describe('under a deadline, PostgreSQL', () => {
  suite('postgres', startPostgres)

  test('a limit of the server on waits for locks holds', async () => {
    const server = await startPostgres()
    const strict = database('deadline-strict')
    process.env[urlVariable(strict.name)] = `${await server.createDatabase()}?options=-c%20lock_timeout%3D7s`
    const { signal } = new AbortController()

    const { rows } = await withDeadline(signal, () =>
      strict.transaction(() => strict.query(SPEECH.postgres.lockTimeout)),
    )

    await strict.close()
    await server.stop()
    assert.deepEqual(rows, [['7s']])
  })
})
describe('under a deadline, MariaDB', { skip: mysqlUnavailable ?? false }, () => {
  suite('mariadb', async () => {
    const own = await startMysqlServer({ arguments: ['--innodb-lock-wait-timeout=100000'] })
    return own
  })
})
