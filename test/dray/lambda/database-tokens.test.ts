import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { closeDatabases } from 'dray/internal/active-record/database.ts'

/** Asks a client of PostgreSQL for its password in clear text, and then hangs up. */
async function passwordAsker() {
  const passwords: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]))
      socket.once('data', (message) => {
        passwords.push(message.subarray(5, -1).toString())
        socket.destroy()
      })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { passwords, port: (server.address() as AddressInfo).port, close: () => server.close() }
}

test('a database with IAM signs in with a token for its own host, port and user, as the models know it', async (t) => {
  const server = await passwordAsker()
  t.after(() => server.close())
  Object.assign(process.env, {
    AWS_REGION: 'eu-north-1',
    AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'secret',
    TILL_DATABASE_URL: `postgres://dray@127.0.0.1:${server.port}/till`,
    TILL_DATABASE_IAM: 'true',
  })
  await import('dray/internal/lambda/index.ts')
  const { till } = await import('#test/fixture/shared/models/till.ts')

  await assert.rejects(till.query('select 1'))
  await closeDatabases()

  const token = new URL(`https://${server.passwords[0]}`)
  assert.equal(token.host, `127.0.0.1:${server.port}`)
  assert.equal(token.searchParams.get('DBUser'), 'dray')
  assert.equal(token.searchParams.get('Action'), 'connect')
  assert.match(token.searchParams.get('X-Amz-Credential') ?? '', /^AKIAEXAMPLE\/\d{8}\/eu-north-1\/rds-db\//)
})
