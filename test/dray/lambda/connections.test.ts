import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import { closeDatabases, database } from 'dray'
import { withServices } from 'dray/internal/lambda/with-services.ts'
import { Client } from 'pg'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'

describe('the connections of a function', () => {
  let server: TestPostgres
  let url: string
  let folder: string
  before(async () => {
    server = await startPostgres()
    url = await server.createDatabase()
    process.env.WARM_DATABASE_URL = url
    folder = await mkdtemp(join(tmpdir(), 'dray-warm-'))
    process.env.STAGING_URL = pathToFileURL(folder).href
  })
  after(async () => {
    delete process.env.AWS_LAMBDA_FUNCTION_NAME
    await closeDatabases()
    await server.stop()
    await rm(folder, { recursive: true })
  })

  const warm = database('warm')
  const call = middy()
    .use(withServices(new Logger({ logLevel: 'SILENT' }), false))
    .handler(async (fails: unknown) => {
      await Promise.all([warm.query('select pg_sleep(0.1)'), warm.query('select pg_sleep(0.1)')])
      if (fails === true) throw new Error('on purpose')
    })
  const handle = (fails: boolean) =>
    call(fails, { getRemainingTimeInMillis: () => 60_000 } as never, undefined as never)

  /** As the server sees it, which notices an end a moment later. */
  async function sessions(): Promise<number> {
    const client = new Client({ connectionString: url })
    await client.connect()
    let open = 0
    for (let look = 0; look < 40; look++) {
      const { rows } = await client.query(
        'select count(*)::int as open from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      )
      open = rows[0].open
      if (open === 0) break
      await client.query('select pg_sleep(0.05)')
    }
    await client.end()
    return open
  }

  test('are given back at the end of each call on Lambda, since it may stay warm for hours', async () => {
    process.env.AWS_LAMBDA_FUNCTION_NAME = 'orders-load'

    await handle(false)
    assert.equal(await sessions(), 0)
    await assert.rejects(handle(true), /on purpose/)
    assert.equal(await sessions(), 0)
    await handle(false)
  })

  test('are kept where the command calls it, which ends them itself', async () => {
    delete process.env.AWS_LAMBDA_FUNCTION_NAME

    await handle(false)

    assert.equal(await sessions(), 2)
  })
})
