import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Connection } from 'dray/internal/database/adapter.ts'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import { signInOnce } from '#test/services/mysql-speech.ts'
import { type OpenedServer, openServer, skip } from './opened-server.ts'

const HELSINKI = 'EET-2EEST,M3.5.0/3,M10.5.0/4'

describe('the settled time of MySQL', { skip }, () => {
  let server: OpenedServer
  let other: Connection
  before(async () => {
    server = await openServer({ arguments: ['--default-time-zone=-05:00'], systemTimeZone: HELSINKI })
    other = await server.adapter.acquire()
    await server.query('CREATE TABLE stamped (id int PRIMARY KEY)')
  })
  after(async () => {
    await server.adapter.release(other)
    await server.close()
  })

  /** Microseconds of a text in UTC. */
  const micros = (text: string) => Date.parse(`${text.slice(0, 19)}Z`) * 1000 + Number(text.slice(20))

  const now = async () => micros((await server.query('SELECT UTC_TIMESTAMP(6)'))[0]?.[0] as string)

  test('is the clock of the server less the lag, in UTC, when nothing is open', async () => {
    const before_ = await now()
    const { until, exact, reason } = await server.connection.settledUntil(1.5)
    const after_ = await now()

    assert.match(until, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/)
    assert.ok(micros(until) >= before_ - 1_500_000 && micros(until) <= after_ - 1_500_000)
    assert.deepEqual([exact, reason], [true, null])
  })

  test('never passes a transaction that is open, nor one that ended after the snapshot began', async () => {
    await server.connection.settledUntil(0)
    const started = await now()
    await other.begin('write')
    await other.query('INSERT INTO stamped VALUES (1)')

    await server.connection.begin('snapshot')
    await other.commit()
    // The server tells what it saw for 0.1 s.
    await delay(150)
    const seen = await server.query('SELECT COUNT(*) FROM stamped')
    const { until } = await server.connection.settledUntil(0)
    await server.connection.rollback()

    assert.deepEqual(seen, [['0']])
    assert.ok(micros(until) <= started - 1_000_000, `${until} is after the start of what was open`)
    assert.ok(micros(until) >= started - 4_000_000)
  })

  test('is exact for four that ask again and again, although the server looks anew only after nobody has asked for 0.1 s', async () => {
    const adapter = createMysqlAdapter({ name: 'sales', url: server.url, maxConnections: 4 })

    const results = await Promise.all(
      [20, 45, 70, 95].map(async (pause) => {
        const connection = await adapter.acquire()
        const isExact: boolean[] = []
        for (let times = 0; times < 3; times++) {
          await delay(pause)
          isExact.push((await connection.settledUntil(0)).exact)
        }
        await adapter.release(connection)
        return isExact
      }),
    )
    await adapter.close()

    assert.deepEqual(results, Array(4).fill([true, true, true]))
  })

  test('is the lag alone, with the reason, when others cannot be seen', async () => {
    const url = new URL(server.url)
    await server.query(`CREATE USER limited@'127.0.0.1' IDENTIFIED BY 'limited'`)
    await server.query(`GRANT SELECT ON ${url.pathname.slice(1)}.* TO limited@'127.0.0.1'`)
    url.username = 'limited'
    url.password = 'limited'
    await signInOnce(url.href)
    const adapter = createMysqlAdapter({ name: 'sales', url: url.href })

    const connection = await adapter.acquire()
    await connection.begin('snapshot')
    const result = await connection.settledUntil(300)
    await adapter.release(connection)
    await adapter.close()

    assert.equal(result.exact, false)
    assert.match(result.reason ?? '', /PROCESS/)
    assert.ok(Math.abs((await now()) - 300_000_000 - micros(result.until)) < 10_000_000)
  })

  test('is the lag alone on a read-only server', async () => {
    await server.query('SET GLOBAL read_only = ON')
    const adapter = createMysqlAdapter({ name: 'sales', url: server.url })

    const connection = await adapter.acquire()
    const result = await connection.settledUntil(0)
    await adapter.release(connection)
    await adapter.close()
    await server.query('SET GLOBAL read_only = OFF')

    assert.equal(result.exact, false)
    assert.match(result.reason ?? '', /read-only/)
  })
})
