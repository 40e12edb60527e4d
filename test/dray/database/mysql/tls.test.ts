import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import { ConfigurationError, TransientError } from 'dray/internal/errors.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { type OpenedServer, openServer, skip } from './opened-server.ts'

describe('a server of MySQL whose certificate is its own', { skip }, () => {
  let server: OpenedServer
  let authority: string
  before(async () => {
    server = await openServer({ arguments: [] })
    const [[folder = '']] = (await server.query('SELECT @@datadir')) as [[string]]
    authority = join(folder, 'ca.pem')
    await server.query("CREATE USER tls@'127.0.0.1' IDENTIFIED BY 'p' REQUIRE SSL")
    await server.query(`GRANT ALL ON ${new URL(server.url).pathname.slice(1)}.* TO tls@'127.0.0.1'`)
  })
  after(() => server.close())

  /** How the session is encrypted, or why there is none. */
  async function cipher(parameters: Readonly<Record<string, string>>, user?: string): Promise<string> {
    const url = new URL(server.url)
    if (user !== undefined) Object.assign(url, { username: user, password: 'p' })
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
    const adapter = createMysqlAdapter({ name: 'warehouse', url: url.href })
    try {
      const connection = await adapter.acquire()
      const { rows } = await connection.query("SHOW STATUS LIKE 'Ssl_cipher'")
      await adapter.release(connection)
      return rows[0]?.[1] ?? ''
    } catch (error) {
      assert.ok(error instanceof ConfigurationError)
      return error.message
    } finally {
      await adapter.close()
    }
  }

  test('that offers no TLS is not sent the password', { skip: isRealMysql && 'MySQL offers it' }, async () => {
    assert.match(await cipher({ sslmode: 'verify-full' }), /does not offer TLS/)
  })

  const withoutTls = !isRealMysql && 'the MariaDB of the tests offers no TLS'

  test('is told by its authority, whatever its name, where verify-ca asks for that', { skip: withoutTls }, async () => {
    assert.match(await cipher({ sslmode: 'verify-ca', 'ssl-ca': authority }), /^TLS_/)
    assert.match(await cipher({ sslmode: 'no-verify' }), /^TLS_/)
  })

  test('of another name, or of an unknown authority, is refused with what to do', { skip: withoutTls }, async () => {
    const named = /cannot be verified \(Hostname\/IP does not match.*add \?sslmode=verify-ca/
    const unknown = /cannot be verified \(self-signed certificate.*Add \?ssl-ca=<file>/

    assert.match(await cipher({ sslmode: 'verify-full', 'ssl-ca': authority }), named)
    assert.match(await cipher({ sslmode: 'verify-full' }), unknown)
    assert.match(await cipher({ sslmode: 'verify-ca' }), unknown)
  })

  test('is asked for TLS where an authority is given, on this machine as well', { skip: withoutTls }, async () => {
    assert.match(await cipher({ 'ssl-ca': authority }), /Hostname\/IP does not match/)
    assert.equal(await cipher({}), '')
  })

  test('lets an account in that requires TLS, and says so where none is asked for', { skip: withoutTls }, async () => {
    assert.match(await cipher({ sslmode: 'verify-ca', 'ssl-ca': authority }, 'tls'), /^TLS_/)
    assert.match(await cipher({}, 'tls'), /1045.*Where the account requires TLS: Add \?ssl-ca=<file>/)
  })

  for (const [way, leave] of [
    ['resets the connection', (client: Socket) => client.resetAndDestroy()],
    ['ends the connection', (client: Socket) => client.end()],
  ] as const) {
    const title = `that ${way} in the middle of the handshake is tried again: nothing is said of its certificate`
    test(title, { skip: withoutTls }, async () => {
      const { hostname, port } = new URL(server.url)
      const proxy = createServer((client) => {
        const upstream = connect(Number(port), hostname)
        for (const socket of [client, upstream]) socket.on('error', () => {})
        // The request for TLS has 36 bytes; what follows is the client's hello.
        let sent = 0
        client.on('data', (data) => {
          sent += data.length
          if (sent <= 36) return upstream.write(data)
          upstream.destroy()
          return leave(client)
        })
        upstream.pipe(client)
      }).listen(0, '127.0.0.1')
      await once(proxy, 'listening')
      const url = new URL(server.url)
      url.port = String((proxy.address() as AddressInfo).port)
      url.searchParams.set('sslmode', 'verify-ca')
      url.searchParams.set('ssl-ca', authority)
      const adapter = createMysqlAdapter({ name: 'warehouse', url: url.href })
      try {
        await assert.rejects(adapter.acquire(), (error: Error) => {
          assert.ok(error instanceof TransientError, error.stack)
          assert.doesNotMatch(error.message, /certificate/)
          return true
        })
      } finally {
        await adapter.close()
        proxy.close()
      }
    })
  }
})
