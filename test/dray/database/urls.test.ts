import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { Database } from 'dray/internal/database/database.ts'
import {
  mustVerify,
  secretVariable,
  TLS_BY_URL,
  tlsVariable,
  urlVariable,
} from 'dray/internal/database/database-url.ts'
import { readUrl as readMysql } from 'dray/internal/database/mysql/url.ts'
import { readUrl as readPostgres } from 'dray/internal/database/postgres/url.ts'
import { readUrl as readSqlite } from 'dray/internal/database/sqlite/url.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'

const readers = { postgres: readPostgres, mysql: readMysql }

describe('a URL in which the password is not escaped', () => {
  for (const [scheme, read] of Object.entries(readers)) {
    for (const password of ['12/secret', '12#secret', '12?secret', '12?a=secret', 'se%zzcret', 'secret/@']) {
      test(`(${scheme}, ${password}) is refused, and no part of it is printed`, () => {
        const url = `${scheme}://loader:${password}@db.example.com/shop`

        assert.throws(
          () => read({ name: 'shop', url }),
          (error: unknown) => {
            assert.ok(error instanceof ConfigurationError, String(error))
            assert.match(error.message, /write @ as %40, \/ as %2F/)
            assert.doesNotMatch(error.message, /secret|12/)
            return true
          },
        )
      })
    }

    test(`(${scheme}) is understood when it is escaped, or has an @ alone`, () => {
      for (const password of ['1%2F2%23', 'a@b', 'a%25']) {
        const { config, place } = read({ name: 'shop', url: `${scheme}://loader:${password}@db.example.com/shop` })

        assert.equal(config.password, decodeURIComponent(password))
        assert.match(place.address, /^db\.example\.com:\d+\/shop$/)
      }
    })
  }
})

describe('a URL with fewer slashes, in which the password would be a part of the path', () => {
  for (const [scheme, read] of Object.entries(readers)) {
    test(`(${scheme}) is refused, and no part of it is printed`, () => {
      for (const slashes of ['', '/']) {
        assert.throws(
          () => read({ name: 'shop', url: `${scheme}:${slashes}loader:secret@db.example.com/shop` }),
          ({ name, message }: Error) => name === 'Configuration' && !message.includes('secret'),
        )
      }
    })
  }
})

test('a URL whose escapes are no UTF-8, or of a file whose name has a NUL, is refused', () => {
  for (const [scheme, read] of Object.entries(readers)) {
    for (const place of ['loader:%ff@db.example.com/shop', 'loader@db.example.com/%ff']) {
      assert.throws(() => read({ name: 'shop', url: `${scheme}://${place}` }), { name: 'Configuration' })
    }
  }
  assert.throws(() => readSqlite({ name: 'shop', url: 'sqlite:/tmp/a%00b' }), { name: 'Configuration' })
})

describe('a URL from a secret', () => {
  const name = 'kept'
  afterEach(() => {
    for (const variable of [secretVariable, tlsVariable, urlVariable]) delete process.env[variable(name)]
  })

  for (const scheme of ['postgres', 'mysql'] as const) {
    for (const mode of ['disable', 'no-verify', 'verify-ca']) {
      test(`turns TLS of ${scheme} neither off nor into less by ${mode}, unless the environment's code lets it`, async () => {
        process.env[secretVariable(name)] = 'arn:aws:secretsmanager:eu-north-1:123456789012:secret:kept-abcdef'
        process.env[urlVariable(name)] = `${scheme}://loader:secret@127.0.0.1:1/shop?sslmode=${mode}`
        const refused = new Database(name).withConnection(async () => {})
        await assert.rejects(refused, { name: 'Configuration', message: /demands TLS whose certificate is verified/ })

        process.env[tlsVariable(name)] = TLS_BY_URL
        const allowed = new Database(name).withConnection(async () => {})
        await assert.rejects(allowed, { message: /ECONNREFUSED/ })
      })
    }

    test(`asks ${scheme} for TLS on this machine as well`, () => {
      const [host, socket] = scheme === 'postgres' ? ['localhost', '?host=/tmp'] : ['127.0.0.1', '?socket=/tmp/s']
      for (const url of [`${scheme}://loader@${host}/shop`, `${scheme}://loader@${host}/shop${socket}`]) {
        const read = readers[scheme]

        assert.ok(read({ name, url, verified: true }).config.ssl, url)
        assert.ok(!read({ name, url }).config.ssl, url)
      }
    })
  }

  test('is one only where a secret or IAM is named', () => {
    assert.equal(mustVerify('a', {}), false)
    assert.equal(mustVerify('a', { A_DATABASE_URL_SECRET_ARN: 'arn' }), true)
    assert.equal(mustVerify('a', { A_DATABASE_IAM: 'true' }), true)
    assert.equal(mustVerify('a', { A_DATABASE_URL_SECRET_ARN: 'arn', A_DATABASE_TLS: TLS_BY_URL }), false)
  })
})
