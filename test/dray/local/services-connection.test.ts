import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, afterEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connectServices, type ServicesConnection } from 'dray-infra/internal/local/services-connection.ts'
import { proofOf, type ServicesFile, servicesFile } from 'dray-infra/internal/local/services-protocol.ts'
import { Client } from 'pg'
import { mountSmallDisk } from '#test/faults/small-disk.ts'

const home = mkdtempSync(join(tmpdir(), 'dray-services-'))
/** A process that serves nothing comes up, and ends, like any. */
const needs = { postgres: [] }
const open: ServicesConnection[] = []

async function connect(): Promise<ServicesConnection> {
  const connection = await connectServices(home, needs)
  open.push(connection)
  return connection
}

const pidOf = () => (JSON.parse(readFileSync(servicesFile(home), 'utf8')) as ServicesFile).pid

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await delay(10)
}

/** Another command that uses the services until it is killed. */
async function otherCommand() {
  const script = `
    const { connectServices } = await import('dray-infra/internal/local/services-connection.ts')
    const connection = await connectServices(${JSON.stringify(home)}, ${JSON.stringify(needs)})
    console.log('connected')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(createInterface(child.stdout), 'line')
  return { child }
}

describe('the services process', () => {
  afterEach(() => Promise.all(open.splice(0).map((connection) => connection.close())))
  after(() => rmSync(home, { recursive: true }))

  it('ends with the last claim', async () => {
    const connection = await connect()
    const pid = pidOf()
    const wasAlive = isAlive(pid)

    await connection.close()

    assert.equal(wasAlive, true)
    await gone(pid)
    assert.equal(existsSync(servicesFile(home)), false)
  })

  it('is one for all commands that start at once', async () => {
    const pids = await Promise.all([1, 2, 3].map(() => connect().then(pidOf)))

    assert.equal(new Set(pids).size, 1)
  })

  it('goes on for a second command when the first has ended', async () => {
    const first = await connect()
    const pid = pidOf()
    await connect()

    await first.close()

    assert.equal(pidOf(), pid)
    assert.equal(isAlive(pid), true)
  })

  it('ends when its only command is killed', async () => {
    const { child } = await otherCommand()
    const pid = pidOf()

    child.kill('SIGKILL')

    await gone(pid)
  })

  it('is started again where it was killed', async () => {
    const { child } = await otherCommand()
    const killed = pidOf()
    process.kill(killed, 'SIGKILL')
    await gone(killed)

    await connect()

    assert.notEqual(pidOf(), killed)
    assert.equal(isAlive(pidOf()), true)
    child.kill('SIGKILL')
  })

  it('serves the next command that comes while it is on its way out', async () => {
    for (let round = 0; round < 3; round++) {
      const leaving = await connect()
      const left = leaving.close()
      const next = await connect()
      await left

      assert.equal(isAlive(pidOf()), true)
      await next.close()
    }
  })

  it('is not taken for another program that has got its port, which is not told the token', async () => {
    const reply = JSON.stringify({ status: 'ready', postgres: {} })
    const greetings = ['SSH-2.0-somebody\r\n', '', `${reply}\n`]
    const proofs = [undefined, 7, 'f'.repeat(64), proofOf('guessed', 'n', reply)]
    const proven = proofs.map((proof) => `${JSON.stringify({ reply, proof })}\n`)
    let heard = ''
    for (const greeting of [...greetings, ...proven, '{"reply":{"toString":1},"proof":"a"}\n', '7\n']) {
      const other = createServer((socket) => {
        socket.on('error', () => {}).on('data', (data) => (heard += data))
        socket.write(greeting)
      }).listen(0, '127.0.0.1')
      await once(other, 'listening')
      const { port } = other.address() as AddressInfo
      writeFileSync(servicesFile(home), JSON.stringify({ pid: 1, port, token: 'stale' }))

      const connection = await connect()

      assert.notEqual(pidOf(), 1)
      assert.equal(isAlive(pidOf()), true)
      await connection.close()
      other.close()
    }
    assert.match(heard, /"needs"/)
    assert.doesNotMatch(heard, /stale/)
  })

  it('works on for its commands whatever strangers send it, and holds nothing of it', async () => {
    await connect()
    const { port } = JSON.parse(readFileSync(servicesFile(home), 'utf8')) as ServicesFile
    const needs = '{"postgres":[]}'
    const sent = [
      ...['\n', '{}\n', 'null\n', `{"needs":${needs}}\n`, `{"nonce":{"toString":1},"proof":"a","needs":${needs}}\n`],
      ...[`{"nonce":"a","proof":"${'0'.repeat(64)}","needs":${needs}}\n`, 'x'.repeat(1_000_000)],
    ]

    for (const text of sent) {
      const socket = createConnection({ port, host: '127.0.0.1' }).on('error', () => {})
      socket.resume().write(text)
      await new Promise((resolve) => socket.once('close', resolve))
    }

    assert.deepEqual((await connect()).postgres, {})
  })

  it('is named, with the way out, where it is stopped and does not answer', async () => {
    const { child } = await otherCommand()
    const pid = pidOf()
    process.kill(pid, 'SIGSTOP')

    await assert.rejects(connect(), {
      name: 'Configuration',
      message: new RegExp(`does not answer.*nothing was run.*kill -9 ${pid}$`),
    })

    process.kill(pid, 'SIGKILL')
    child.kill('SIGKILL')
    await gone(pid)
  })

  it('say that the disk is full where they cannot start for that', async (t) => {
    const disk = mountSmallDisk('1m')
    if ('unavailable' in disk) return t.skip(disk.unavailable)
    t.after(() => disk.remove())
    const full = join(disk.folder, 'home')
    mkdirSync(full, { mode: 0o700 })
    assert.throws(() => writeFileSync(join(disk.folder, 'filler'), Buffer.alloc(2 * 1024 ** 2)), { code: 'ENOSPC' })

    await assert.rejects(connectServices(full, needs), {
      name: 'Configuration',
      message: /the disk of .*home is full, so nothing was run: free some of it/,
    })
  })

  it('say so where the disk has room for the state and none for a PostgreSQL', async (t) => {
    const disk = mountSmallDisk('3m')
    if ('unavailable' in disk) return t.skip(disk.unavailable)
    t.after(() => disk.remove())

    await assert.rejects(connectServices(join(disk.folder, 'home'), { postgres: ['shop'] }), {
      message: /could not make its files in \S+ \(could not [^)]*No space left.*nothing was run\. Free 60 MB/,
    })
  })

  it('starts a PostgreSQL again that has died, where everybody knows it to be', async () => {
    const connection = await connectServices(home, { postgres: ['shop'] })
    open.push(connection)
    const url = connection.postgres.shop as string
    const [postmaster] = readFileSync(
      join(realpathSync(join(home, 'postgres')), 'data', 'postmaster.pid'),
      'utf8',
    ).split('\n')
    process.kill(Number(postmaster), 'SIGKILL')
    await gone(Number(postmaster))

    const answer = await askedAgain(url)

    assert.equal(answer, 1)
  })
})

/** The first answer of a server that is on its way up. */
async function askedAgain(url: string): Promise<unknown> {
  for (const patience = Date.now() + 20_000; ; await delay(50)) {
    const client = new Client({ connectionString: url })
    client.on('error', () => {})
    try {
      await client.connect()
      return (await client.query('SELECT 1 AS one')).rows[0].one
    } catch (error) {
      if (Date.now() > patience) throw error
    } finally {
      await client.end().catch(() => {})
    }
  }
}
