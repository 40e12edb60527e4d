import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readUrl as readMysql } from 'dray/internal/database/mysql/url.ts'
import { openAdapter } from 'dray/internal/database/open-adapter.ts'
import { readUrl as readPostgres } from 'dray/internal/database/postgres/url.ts'
import { readUrl as readSqlite } from 'dray/internal/database/sqlite/url.ts'
import { createStagingStore } from 'dray/internal/staging/staging-url.ts'
import fc from 'fast-check'
import { cases, unlessRefused } from './refusals.ts'

const folder = mkdtempSync(join(tmpdir(), 'dray-urls-'))
after(() => rmSync(folder, { recursive: true }))

/** Each is told by no other part of a URL. */
const SECRETS = ['quokka', 'zebu7', 'Xhosa9']
const strange = fc.constantFrom(
  ...[
    '@',
    ':',
    '/',
    '?',
    '#',
    '%',
    '%zz',
    '%ff',
    '%00',
    '%2F',
    '[',
    ']',
    '\\',
    ' ',
    '\n',
    '\u0000',
    '&',
    '=',
    ';',
    'ä',
  ],
)
const text = fc
  .array(fc.oneof(strange, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 4 })
  .map((one) => one.join(''))
const password = fc
  .array(fc.tuple(fc.constantFrom(...SECRETS), fc.oneof(strange, fc.constant(''))), { minLength: 1, maxLength: 3 })
  .chain((parts) => {
    const raw = parts.flat().join('')
    return fc.constantFrom(raw, encodeURIComponent(raw))
  })
const scheme = fc.constantFrom('postgres', 'postgresql', 'mysql', 'mariadb', 'sqlite', 'POSTGRES', 'http', '')
const slashes = fc.constantFrom('://', ':', ':/', '')
const user = fc.oneof(fc.constantFrom('loader', ''), text)
const host = fc.oneof(fc.constantFrom('db.example.com', 'localhost', '[::1]', '127.0.0.1', '', '[', 'xn--'), text)
const port = fc.oneof(fc.constantFrom('', ':5432', ':0', ':99999', ':x', ':-1'), text)
const path = fc.oneof(fc.constantFrom('', '/shop', '/', '/%ff', '//x'), text)
const parameters = fc.oneof(
  fc.constantFrom(
    ...['', '?sslmode=verify-full', '?sslmode=no', '?connect_timeout=x', '?connect-timeout=x', '?mode=ro'],
  ),
  fc.constantFrom(...['?port=x', '?host=', '?socket=/tmp/s', '?sslrootcert=/none', '?ssl-ca=/none', '?a=b&a=c']),
  text.map((one) => `?${one}`),
)
const url = fc
  .tuple(scheme, slashes, user, password, host, port, path, parameters)
  .map(([scheme, slashes, user, password, ...rest]) => `${scheme}${slashes}${user}:${password}@${rest.join('')}`)

test('a URL is read, or refused without a part of its password, whatever is in it', async () => {
  const readers = [readPostgres, readMysql, readSqlite]

  await fc.assert(
    fc.asyncProperty(url, async (one) => {
      for (const read of readers) {
        const found = await unlessRefused(() => read({ name: 'shop', url: one }), read === readSqlite ? [] : SECRETS)
        if (found === null || !('config' in found)) continue
        for (const secret of SECRETS) assert.ok(!found.place.address.includes(secret), found.place.address)
      }
      if (/^(postgres|mysql|mariadb|sqlite)/.test(one)) return
      await unlessRefused(async () => (await openAdapter({ name: 'shop', url: one })).close(), SECRETS)
    }),
    cases(),
  )
})

test('a file of SQLite is opened, or refused, whatever it is called', async () => {
  const name = fc
    .oneof(text, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }))
    .filter((one) => !one.includes('..'))

  await fc.assert(
    fc.asyncProperty(name, parameters, async (one, more) => {
      const adapter = await openAdapter({ name: 'shop', url: `sqlite:${folder}/f/${one}${more}` })
      await unlessRefused(async () => adapter.release(await adapter.acquire()))
      await adapter.close()
    }),
    cases(),
  )
})

test('a place for staging is one, or refused', async () => {
  const place = fc.oneof(
    text,
    fc.tuple(fc.constantFrom('s3://', 's3:', 'file:', 'file://', 'http://'), text).map((one) => one.join('')),
  )

  await fc.assert(
    fc.asyncProperty(place, async (one) => {
      await unlessRefused(() => createStagingStore(one))
    }),
    cases(),
  )
})
