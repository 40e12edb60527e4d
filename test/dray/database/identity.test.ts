import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { Database } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { identity as mysql } from 'dray/internal/database/mysql/identity.ts'
import { identity as postgres } from 'dray/internal/database/postgres/identity.ts'
import { startPostgres } from '#test/services/postgres.ts'

describe('the identity of a PostgreSQL database', () => {
  const opened: Database[] = []
  const open = (name: string, url: string) => {
    process.env[urlVariable(name)] = url
    const database = new Database(name)
    opened.push(database)
    return database
  }
  after(() => Promise.all(opened.map((database) => database.close())))
  const read = (database: Database) =>
    postgres.read(async (sql, parameters) => (await database.query(sql, parameters)).rows)

  test('is that of the cluster and the database, and goes on with each commit', async () => {
    const server = await startPostgres()
    const one = open('identity-one', await server.createDatabase())
    const other = open('identity-two', await server.createDatabase())

    const first = await read(one)
    for (const sql of ['create table t (id bigint)', 'checkpoint']) await one.query(sql)
    const second = await read(one)

    const compare = (known: typeof first, now: typeof first) =>
      postgres.compare(async () => [], known.identity, now.identity)
    assert.equal(first.weakness, null)
    assert.equal(await compare(first, second), 'same')
    assert.equal(await compare(second, first), 'behind')
    assert.equal(await compare(first, await read(other)), 'other')
  })

  test('is its name where the role may not ask, which is said with the grant', async () => {
    const server = await startPostgres()
    const url = await server.createDatabase()
    const owner = open('identity-owner', url)
    await owner.query('revoke execute on function pg_control_system() from public')
    await owner.query(`create role "identity_reader" login password 'x'`)
    const reader = new URL(url)
    Object.assign(reader, { username: 'identity_reader', password: 'x' })

    const { identity, weakness } = await read(open('identity-reader', reader.href))

    await owner.query('drop role "identity_reader"')
    assert.match(weakness ?? '', /grant execute on function pg_control_system\(\)/)
    assert.equal(await postgres.compare(async () => [], identity, (await read(owner)).identity), 'same')
  })

  test('is kept by a standby that takes over, and lost by going back to the former timeline', async () => {
    const at = (position: string | null) => ({ server: '7', database: '5 shop', position })
    const compare = (known: string | null, now: string | null) => postgres.compare(async () => [], at(known), at(now))

    assert.equal(await compare('00000001/00000000000000000100', '00000002/00000000000000000090'), 'successor')
    assert.equal(await compare('00000002/00000000000000000100', '00000001/00000000000000000900'), 'behind')
    assert.equal(await compare('00000001/00000000000000000100', null), 'same')
  })
})

describe('the identity of a MySQL or MariaDB database', () => {
  const at = (server: string, position: string | null) => ({ server, database: 'shop', position })
  const subset = (answer: string) => async () => [[answer]]

  test('goes over to a server that has all transactions of the former one', async () => {
    const compare = (answer: string, server: string) =>
      mysql.compare(subset(answer), at('uuid-1', 'uuid-1:1-7'), at(server, 'uuid-1:1-9'))

    assert.equal(await compare('1', 'uuid-1'), 'same')
    assert.equal(await compare('1', 'uuid-2'), 'successor')
    assert.equal(await compare('0', 'uuid-1'), 'behind')
    assert.equal(await compare('0', 'uuid-2'), 'other')
    assert.equal(await mysql.compare(subset('1'), at('uuid-1', null), at('uuid-2', null)), 'other')
  })

  test('of MariaDB is that of the host, and its numbers tell one that went back', async () => {
    const compare = (server: string, position: string) =>
      mysql.compare(subset('1'), at('host 3306', '0-1-100,1-1-7'), at(server, position))

    assert.equal(await compare('host 3306', '0-2-101,1-1-7'), 'same')
    assert.equal(await compare('host 3306', '0-1-99,1-1-9'), 'behind')
    assert.equal(await compare('other 3306', '0-1-200,1-1-9'), 'other')
  })
})
