import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { openAdapter } from 'dray/internal/database/open-adapter.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'

const PASSWORD = 'correct-horse'

describe('whoever has taken the port of a server that is down', () => {
  let server: Server | null = null
  afterEach(() => {
    server?.close()
    server = null
  })

  /** What a program on this machine is sent by a connection to it, and why the connection is given up. */
  async function told(scheme: string, speak: (socket: Socket, message: Buffer | null) => void, parameters = '') {
    const heard: Buffer[] = []
    server = createServer((socket) => {
      socket.on('error', () => {})
      speak(socket, null)
      socket.on('data', (message) => {
        heard.push(message)
        speak(socket, message)
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const url = `${scheme}://loader:${PASSWORD}@127.0.0.1:${port}/shop${parameters}`
    const adapter = await openAdapter({ name: 'shop', url })
    const error = await adapter.acquire().then(
      () => assert.fail('a session was opened'),
      (thrown: unknown) => thrown,
    )
    await adapter.close()
    assert.ok(error instanceof ConfigurationError, String(error))
    return { heard: Buffer.concat(heard), error }
  }

  for (const [asked, request] of [
    ['the password itself', [0x52, 0, 0, 0, 8, 0, 0, 0, 3]],
    ['its MD5', [0x52, 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4]],
  ] as const) {
    test(`is not told a password of PostgreSQL when it asks for ${asked}`, async () => {
      let messages = 0

      const { heard, error } = await told('postgres', (socket, message) => {
        if (message !== null && messages++ === 0) socket.write(Buffer.from(request))
      })

      assert.match(error.message, new RegExp(`asks for ${asked} without TLS, so it was not sent`))
      assert.equal(heard.readInt32BE(0), heard.length, 'nothing but the message that starts the session')
      assert.doesNotMatch(heard.toString('latin1'), /correct-horse/)
    })
  }

  for (const [plugin, request] of [
    ['caching_sha2_password', [1, 4]],
    ['sha256_password', null],
    ['mysql_clear_password', null],
  ] as const) {
    test(`is not told a password of MySQL by ${plugin}`, async () => {
      const scramble = 'abcdefghijklmnopqrst'
      let sequence = 0
      const steps = [
        () => greeting(scramble),
        // Asked for again, by the plugin that is to tell it.
        () => Buffer.concat([Buffer.from([0xfe]), Buffer.from(`${plugin}\0${scramble}\0`)]),
        () => (request === null ? null : Buffer.from(request)),
      ]

      const { heard, error } = await told('mysql', (socket) => {
        const payload = steps.shift()?.() ?? null
        if (payload === null) return
        socket.write(Buffer.concat([Buffer.from([payload.length, payload.length >> 8, 0, sequence]), payload]))
        sequence += 2
      })

      assert.match(error.message, /asks for the password without TLS, so it was not sent/)
      assert.doesNotMatch(heard.toString('latin1'), /correct-horse/)
      assert.ok(
        !heard.includes(Buffer.from([1, 0, 0, 5, 2])),
        'no key is asked for, which the password is encrypted by',
      )
    })
  }
})

/** The first packet of a MySQL server, whose own plugin is another one. */
function greeting(scramble: string): Buffer {
  const capabilities = Buffer.alloc(4)
  // PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, CONNECT_WITH_DB
  capabilities.writeUInt32LE(0x00088208)
  return Buffer.concat([
    Buffer.from([10]),
    Buffer.from('8.4.0\0'),
    Buffer.from([1, 0, 0, 0]),
    Buffer.from(`${scramble.slice(0, 8)}\0`),
    capabilities.subarray(0, 2),
    Buffer.from([45, 2, 0]),
    capabilities.subarray(2, 4),
    Buffer.from([21]),
    Buffer.alloc(10),
    Buffer.from(`${scramble.slice(8)}\0`),
    Buffer.from('mysql_native_password\0'),
  ])
}
