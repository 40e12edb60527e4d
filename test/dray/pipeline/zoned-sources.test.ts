import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { changedSince } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { createConnection } from 'mysql2/promise'
import { mysqlUnavailable, othersSkipped, startMysqlServer } from '#test/services/mysql-server.ts'
import { startPostgres } from '#test/services/postgres.ts'
import { type Harness, openHarness, runPipeline } from './harness.ts'

const source = database('zoned-source')
const target = database('zoned-target')
const ZONE = 'America/New_York'

class Item extends source.table('item', { id: bigint().primaryKey(), changedAt: timestamp() }) {}
class Product extends target.table('product', { id: bigint().primaryKey() }) {}

const items = (zone?: string): Pipeline =>
  pipeline('items', {
    extract: changedSince(Item, { cursor: 'changedAt', lag: '0s', ...(zone === undefined ? {} : { zone }) }),
    transform: ({ id }) => ({ id }),
    load: upsert(Product, { by: 'id' }),
  }) as unknown as Pipeline

interface Server {
  createDatabase(): Promise<string>
  stop(): Promise<void>
}

interface Types {
  readonly local: string
  readonly moment: string
  readonly text: string
}

function zoned(dialect: string, types: Types, start: () => Promise<Server>, skip?: string): void {
  describe(`a source in New York, on ${dialect}`, { skip: skip ?? false }, () => {
    let harness: Harness
    let server: Server

    before(async () => {
      server = await start()
    })
    after(async () => {
      await Promise.all([source.close(), target.close()])
      await server?.stop()
      await harness?.close()
    })
    beforeEach(async () => {
      await Promise.all([source.close(), target.close()])
      await harness?.close()
      harness = await openHarness()
      for (const { name } of [source, target]) process.env[urlVariable(name)] = await server.createDatabase()
      if (dialect === 'postgres') {
        const [[name] = []] = (await source.query('select current_database()')).rows
        await source.query(`alter database "${name}" set timezone to '${ZONE}'`)
        await source.close()
      }
      await (Product as unknown as ModelClass).createTable()
    })

    const create = (type: string) => source.query(`create table item (id bigint primary key, changed_at ${type})`)
    const stamp = (id: number, changedAt: string) => source.query(`insert into item values (${id}, '${changedAt}')`)
    const lastRun = (moment: string, zone = ZONE) => setLastRun(items(zone), moment, harness.services)
    const run = (id: string, zone?: string) => runPipeline(items(zone), id, harness.services)
    const loaded = async () => (await Product.all().order('id').toArray()).map(({ id }) => Number(id))

    for (const kind of ['local', 'text'] as const) {
      test(`is refused where nothing says which zone ${kind} stamps are in`, async () => {
        await create(types[kind])
        await stamp(1, '2024-01-15 10:00:00')

        await assert.rejects(run('run-1'), (error: Error) => {
          assert.match(error.message, /the cursor changedAt is a time of some clock: .*zone: 'UTC'/)
          return error.name === 'Terminal'
        })

        assert.deepEqual(await loaded(), [])
      })

      test(`is read in its own time where the zone of ${kind} stamps is named`, async () => {
        await create(types[kind])
        await lastRun('2024-01-15 15:00:00.000000')
        await stamp(1, '2024-01-15 09:59:59.999999')
        await stamp(2, '2024-01-15 10:00:00')
        await lastRun('2024-07-15 14:00:00.000000')
        await stamp(3, '2024-07-15 09:59:59.999999')
        await stamp(4, '2024-07-15 10:00:00')

        await run('run-1', ZONE)

        assert.deepEqual(await loaded(), [4])
        await lastRun('2024-01-15 15:00:00.000000')
        await run('run-2', ZONE)
        assert.deepEqual(await loaded(), [2, 3, 4])
      })

      test(`${kind} stamps of the hour that comes twice are in the later window, so that none is missed`, async () => {
        await create(types[kind])
        await stamp(1, '2024-11-03 00:59:59')
        await stamp(2, '2024-11-03 01:30:00')
        await stamp(3, '2024-11-03 02:00:00')

        const read: number[][] = []
        for (const moment of [
          '2024-11-03 06:30:00.000001',
          '2024-11-03 06:00:00.000000',
          '2024-11-03 04:00:00.000000',
        ]) {
          await lastRun(moment)
          await run(`run-${moment}`.replaceAll(/\W/g, '-'), ZONE)
          read.push(await loaded())
        }

        assert.deepEqual(read, [[3], [2, 3], [1, 2, 3]])
      })
    }

    test('is read as it is where its stamps are said to be in UTC', async () => {
      await create(types.local)
      await lastRun('2024-01-15 10:00:00.000000', 'UTC')
      await stamp(1, '2024-01-15 09:59:59.999999')
      await stamp(2, '2024-01-15 10:00:00')

      await run('run-1', 'UTC')

      assert.deepEqual(await loaded(), [2])
    })

    test('is asked nothing where its stamps are moments, and none is missed', async () => {
      await create(`${types.moment} default current_timestamp(6)`)
      await run('run-1')
      await source.query('insert into item (id) values (1)')

      await run('run-2')

      assert.deepEqual(await loaded(), [1])
    })

    test('is asked nothing where all texts say that they are in UTC', async () => {
      await create(types.text)
      await stamp(1, '2024-01-15T10:00:00Z')

      await run('run-1')

      assert.deepEqual(await loaded(), [1])
    })

    test('has windows that end at its own midnight where stamps are days', async () => {
      await create('date')
      await stamp(1, '2024-01-15')

      const { last_run_after: hi } = await run('run-1', ZONE)

      assert.match(hi ?? '', / 0[45]:00:00\.000000$/)
      assert.deepEqual(await loaded(), [1])
    })
  })
}

zoned('postgres', { local: 'timestamp', moment: 'timestamptz', text: 'text' }, startPostgres, othersSkipped)
zoned(
  'mysql',
  { local: 'datetime(6)', moment: 'timestamp(6)', text: 'varchar(40)' },
  async () => {
    const server = await startMysqlServer({ arguments: ['--default-time-zone=-05:00'] })
    await teachZone(server.url)
    return server
  },
  mysqlUnavailable,
)

/** Fills the server's tables of zones with one, as it has been since 2007. */
async function teachZone(url: string): Promise<void> {
  const years = Array.from({ length: 24 }, (_, index) => 2007 + index)
  const changes = years.flatMap((year) => [
    `(1, ${sundayOf(year, 2, 2) + 7 * HOUR}, 1)`,
    `(1, ${sundayOf(year, 10, 1) + 6 * HOUR}, 0)`,
  ])
  const connection = await createConnection({ uri: url, database: 'mysql' })
  await connection.query("insert into time_zone values (1, 'N')")
  await connection.query('insert into time_zone_name values (?, 1)', [ZONE])
  await connection.query(
    "insert into time_zone_transition_type values (1, 0, -18000, 0, 'EST'), (1, 1, -14400, 1, 'EDT')",
  )
  await connection.query(`insert into time_zone_transition values ${changes.join(', ')}`)
  await connection.end()
}

const HOUR = 3_600

/** The start of the n-th Sunday of a month, in seconds since 1970, in UTC. */
function sundayOf(year: number, month: number, nth: number): number {
  const first = new Date(Date.UTC(year, month, 1)).getUTCDay()
  return Date.UTC(year, month, 1 + ((7 - first) % 7) + 7 * (nth - 1)) / 1000
}
