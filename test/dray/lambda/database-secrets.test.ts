import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { closeDatabases, database } from 'dray/internal/active-record/database.ts'
import { secretVariable, TLS_BY_URL, tlsVariable } from 'dray/internal/database/database-url.ts'
import { readUrl as readPostgres } from 'dray/internal/database/postgres/url.ts'
import { resolveDatabaseSecrets } from 'dray/internal/lambda/database-secrets.ts'
import { urlInSecret } from 'dray/internal/lambda/url-in-secret.ts'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { AwsApi } from '#test/services/aws-api.ts'
import { startMariaDB } from '#test/services/mariadb.ts'
import { startPostgres } from '#test/services/postgres.ts'

const mariadb = await startMariaDB()
const postgres = await startPostgres()
const aws = new AwsApi()
const saved = { ...process.env }

/** A user of a server, whose password its owner changes. */
interface Rotated {
  readonly url: URL
  change(password: string): Promise<void>
}

before(async () => {
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: await aws.start(),
    AWS_REGION: 'eu-north-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  })
})
after(async () => {
  process.env = saved
  await closeDatabases()
  await aws.stop()
  await postgres.stop()
  if (!('unavailable' in mariadb)) await mariadb.stop()
})

async function ofPostgres(): Promise<Rotated> {
  const owned = await postgres.createDatabase()
  const run = async (sql: string) => {
    const client = new Client({ connectionString: owned })
    await client.connect()
    await client.query(sql)
    await client.end()
  }
  const url = new URL(owned)
  url.username = `rotated_${url.pathname.slice(1)}`
  await run(`create role ${url.username} login password 'first'`)
  return { url, change: (password) => run(`alter role ${url.username} password '${password}'`) }
}

async function ofMariaDB(): Promise<Rotated> {
  if ('unavailable' in mariadb) throw new Error(mariadb.unavailable)
  const owned = await mariadb.createDatabase()
  const run = async (sql: string) => {
    const connection = await createConnection(owned)
    await connection.query(sql)
    await connection.end()
  }
  const url = new URL(owned)
  url.username = url.pathname.slice(1, 30)
  await run(`create user ${url.username} identified by 'first'`)
  await run(`grant all on ${url.pathname.slice(1)}.* to ${url.username}`)
  return { url, change: (password) => run(`alter user ${url.username} identified by '${password}'`) }
}

function withPassword({ url }: Rotated, password: string): string {
  const changed = new URL(url)
  changed.password = password
  return changed.href
}

const engines = {
  PostgreSQL: { rotated: ofPostgres, skip: false },
  MariaDB: { rotated: ofMariaDB, skip: 'unavailable' in mariadb ? mariadb.unavailable : false },
} as const

/** Secrets are read once in a process: each test has a database of its own, whose password is `first` at first. */
const tests = ['open', 'same', 'wrong'] as const
const users = new Map<string, Rotated>()
before(async () => {
  for (const [engine, { rotated, skip }] of Object.entries(engines)) {
    for (const which of skip === false ? tests : []) {
      const name = `${engine.toLowerCase()}-${which}`
      const user = await rotated()
      users.set(name, user)
      aws.secrets.set(name, withPassword(user, 'first'))
      Object.assign(process.env, { [secretVariable(name)]: name, [tlsVariable(name)]: TLS_BY_URL })
    }
  }
  await resolveDatabaseSecrets()
})

for (const [engine, { skip }] of Object.entries(engines)) {
  const bound = (which: (typeof tests)[number]) => {
    const name = `${engine.toLowerCase()}-${which}`
    const user = users.get(name) as Rotated
    const rotate = async (password: string, kept = password) => {
      await user.change(password)
      aws.secrets.set(name, withPassword(user, kept))
    }
    return { rotate, shop: database(name) }
  }

  describe(`a password of ${engine} in a secret that is rotated`, { skip }, () => {
    test('is read again for the next connection, while those that are open go on', async () => {
      const { rotate, shop } = bound('open')
      const [begun, rotated] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const open = shop.transaction(async () => {
        await shop.query('select 1')
        begun.resolve()
        await rotated.promise
        return shop.query('select 1')
      })
      await begun.promise

      await rotate('second')
      const next = await Promise.all([shop.query('select 2'), shop.query('select 3')])
      rotated.resolve()

      assert.deepEqual(
        [await open, ...next].map(({ rows }) => rows[0]?.[0]),
        ['1', '2', '3'],
      )
    })

    test('is a configuration error when the secret holds the one that was refused', async () => {
      const { rotate, shop } = bound('same')
      await rotate('second', 'first')

      await assert.rejects(shop.query('select 1'), { name: 'Configuration' })
    })

    test('is a configuration error when the one that was read again is refused, and is read again the next time', async () => {
      const { rotate, shop } = bound('wrong')
      await rotate('third', 'second')

      await assert.rejects(shop.query('select 1'), { name: 'Configuration' })
      await rotate('third')
      const { rows } = await shop.query('select 1')

      assert.deepEqual(rows, [['1']])
    })
  })
}

describe('the text of a secret', () => {
  const document = {
    engine: 'postgres',
    host: 'shop.abc.eu-north-1.rds.amazonaws.com',
    port: 5433,
    username: 'dray',
    password: 'a/b@c#d%e',
    dbname: 'shop',
  }
  const urlOf = (more: object) => urlInSecret(JSON.stringify({ ...document, ...more }), 'shop')

  test('is a URL as it is', () => {
    assert.equal(urlInSecret('postgres://dray:x@shop/shop', 'shop'), 'postgres://dray:x@shop/shop')
  })

  test('is the document of RDS, whose password may have any character', () => {
    const url = urlOf({ dbInstanceIdentifier: 'shop-1' })

    assert.equal(url, `postgres://dray:a%2Fb%40c%23d%25e@shop.abc.eu-north-1.rds.amazonaws.com:5433/shop`)
    assert.equal(readPostgres({ name: 'shop', url }).config.password, document.password)
  })

  for (const [engine, scheme] of [
    ['aurora-postgresql', 'postgres'],
    ['mysql', 'mysql'],
    ['mariadb', 'mysql'],
    ['aurora-mysql', 'mysql'],
  ] as const) {
    test(`is of ${scheme} where its engine is ${engine}, and its port may be a text or absent`, () => {
      assert.match(urlOf({ engine, port: '3307' }), new RegExp(`^${scheme}://dray:[^@]+@[^/]+:3307/shop$`))
      assert.match(urlOf({ engine, port: undefined }), new RegExp(`^${scheme}://dray:[^@]+@[^/:]+/shop$`))
    })
  }

  for (const [what, more, said] of [
    ['no database', { dbname: undefined, dbInstanceIdentifier: 'shop-1' }, /dbname/],
    ['no host, as one that RDS manages', { host: undefined }, /host/],
    ['another engine', { engine: 'oracle' }, /engine: is not of PostgreSQL or MySQL/],
  ] as const) {
    test(`is refused where it names ${what}, and nothing of it is said`, () => {
      assert.throws(
        () => urlOf(more),
        (error: Error) => {
          assert.equal(error.name, 'Configuration')
          assert.match(error.message, said)
          assert.doesNotMatch(error.message, /a\/b|dray:|abc/)
          return true
        },
      )
    })
  }

  test('is refused where it begins as a document and is none', () => {
    assert.throws(() => urlInSecret('{"engine":', 'shop'), { name: 'Configuration' })
  })
})
