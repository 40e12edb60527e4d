import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Connection } from 'dray/internal/database/adapter.ts'
import { createPostgresAdapter } from 'dray/internal/database/postgres/index.ts'
import { startPostgres } from '#test/services/postgres.ts'

describe('the lines of a query of PostgreSQL', () => {
  let connection: Connection & { eachLine: NonNullable<Connection['eachLine']> }
  let close: () => Promise<void>

  before(async () => {
    const server = await startPostgres()
    const adapter = createPostgresAdapter({ name: 'lines', url: await server.createDatabase() })
    connection = (await adapter.acquire()) as typeof connection
    close = async () => {
      await adapter.release(connection)
      await adapter.close()
      await server.stop()
    }
  })
  after(() => close())

  async function linesOf(sql: string, parameters: readonly string[] = []): Promise<string[]> {
    const lines: string[] = []
    await connection.eachLine(sql, parameters, (line) => lines.push(line))
    return lines
  }

  test('hold its values as COPY text, bound ones too', async () => {
    const lines = await linesOf(`SELECT $1::text, NULL, E'a\\tb', '\\x00ff'::bytea, '1 mon -3 days'::interval`, [
      `it's`,
    ])

    assert.deepEqual(lines, ["it's\t\\N\ta\\tb\t\\\\x00ff\t1 mon -3 days"])
  })

  test('are read in the open transaction, and leave it open', async () => {
    await connection.begin('write')
    await connection.query('CREATE TABLE seen (id int)')
    await connection.query('INSERT INTO seen VALUES (1), (2)')

    const lines = await linesOf('SELECT id FROM seen ORDER BY id')

    assert.deepEqual(lines, ['1', '2'])
    await connection.rollback()
    await assert.rejects(connection.query('SELECT * FROM seen'), { name: 'Terminal' })
  })

  test('leave the session usable when the query fails midway', async () => {
    await assert.rejects(linesOf('SELECT 1 / (5000 - n) FROM generate_series(1, 10000) n'), /division by zero/)

    const { rows } = await connection.query('SELECT count(*) FROM generate_series(1, 3)')

    assert.deepEqual(rows, [['3']])
  })
})
