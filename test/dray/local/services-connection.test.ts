import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, afterEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connectServices, type ServicesConnection } from 'dray-infra/internal/local/services-connection.ts'
import { type ServicesFile, servicesFile } from 'dray-infra/internal/local/services-protocol.ts'

const home = mkdtempSync(join(tmpdir(), 'dray-services-'))
const needs = { dynamodb: true, postgres: [] }
const open: ServicesConnection[] = []

async function connect(): Promise<ServicesConnection> {
  const connection = await connectServices(home, needs)
  open.push(connection)
  return connection
}

async function statusOf({ dynamodb }: ServicesConnection): Promise<number> {
  const { origin, username } = new URL(dynamodb ?? '')
  return (await fetch(origin, { headers: { authorization: username } })).status
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
    console.log(connection.dynamodb)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [endpoint] = await once(createInterface(child.stdout), 'line')
  return { child, endpoint }
}

describe('the services process', () => {
  afterEach(() => Promise.all(open.splice(0).map((connection) => connection.close())))
  after(() => rmSync(home, { recursive: true }))

  it('ends with the last claim, and keeps what was stored', async () => {
    const connection = await connect()
    const pid = pidOf()
    const status = await statusOf(connection)

    await connection.close()

    assert.equal(status, 200)
    await gone(pid)
    assert.equal(existsSync(servicesFile(home)), false)
    assert.ok(existsSync(join(home, 'dynamodb/data')))
  })

  it('is one for all commands that start at once', async () => {
    const [first, second, third] = await Promise.all([connect(), connect(), connect()])

    assert.equal(first?.dynamodb, second?.dynamodb)
    assert.equal(second?.dynamodb, third?.dynamodb)
  })

  it('goes on for a second command when the first has ended', async () => {
    const first = await connect()
    const second = await connect()

    await first.close()

    assert.equal(await statusOf(second), 200)
  })

  it('ends when its only command is killed', async () => {
    const { child } = await otherCommand()
    const pid = pidOf()

    child.kill('SIGKILL')

    await gone(pid)
  })

  it('is started again where it was killed', async () => {
    const { child, endpoint } = await otherCommand()
    const killed = pidOf()
    process.kill(killed, 'SIGKILL')
    await gone(killed)

    const connection = await connect()

    assert.notEqual(connection.dynamodb, endpoint)
    assert.equal(await statusOf(connection), 200)
    child.kill('SIGKILL')
  })

  it('serves the next command that comes while it is on its way out', async () => {
    for (let round = 0; round < 3; round++) {
      const leaving = await connect()
      const left = leaving.close()
      const next = await connect()
      await left

      assert.equal(await statusOf(next), 200)
      await next.close()
    }
  })
})
