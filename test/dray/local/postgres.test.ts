import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, chmod, mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type PostgresServer, startPostgresServer } from 'dray-infra/internal/local/postgres.ts'
import { Client } from 'pg'

const notRoot = process.getuid?.() === 0 ? false : 'only root cannot run PostgreSQL as itself'

describe('the embedded PostgreSQL', () => {
  let home: string
  let folder: string

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'dray-postgres-'))
    await chmod(home, 0o755)
    folder = join(home, 'postgres')
  })
  after(() => rm(home, { recursive: true, force: true }))

  test('keeps its data between starts, and its locale and time zone whatever the machine has', async () => {
    const first = await start(folder)
    const url = await first.ensureDatabase('Sales "2024"')
    await query(url, 'CREATE TABLE kept (name text)')
    await query(url, "INSERT INTO kept VALUES ('Škoda')")
    await first.stop()

    const second = await start(folder)
    const rows = await query(
      await second.ensureDatabase('Sales "2024"'),
      "SELECT upper(name) AS name, current_setting('TimeZone') AS zone, current_setting('server_encoding') AS encoding FROM kept",
    )
    await second.stop()

    assert.deepEqual(rows, [{ name: 'ŠKODA', zone: 'UTC', encoding: 'UTF8' }])
  })

  test('is gone when stop has returned', async () => {
    const server = await start(folder)
    const pid = await postmasterPid(folder)

    await server.stop()

    assert.equal(isAlive(pid), false)
  })

  test('refuses a client without the password, and listens on the loopback address only', async () => {
    const server = await start(folder)
    const withoutPassword = new URL(server.url)
    withoutPassword.password = 'guess'

    await assert.rejects(query(withoutPassword.href, 'SELECT 1'), /password authentication failed/)
    const [setting] = await query(server.url, 'SHOW listen_addresses')
    await server.stop()

    assert.deepEqual(setting, { listen_addresses: '127.0.0.1' })
  })

  test('has its folder to itself: a second start waits for the end of the first', async () => {
    const first = await start(folder)
    const pid = await postmasterPid(folder)
    const second = start(folder)

    const rows = await query(first.url, 'SELECT 1 AS one')
    await first.stop()
    const successor = await second
    const newPid = await postmasterPid(folder)
    await successor.stop()

    assert.deepEqual(rows, [{ one: 1 }])
    assert.notEqual(newPid, pid)
  })

  test('stops when the process that uses it is killed', async () => {
    const child = await startInChild(folder)
    const pid = await postmasterPid(folder)

    child.kill('SIGKILL')

    await until(() => !isAlive(pid))
  })

  test('starts again after the server itself was killed', async () => {
    const child = await startInChild(folder)
    const pid = await postmasterPid(folder)
    child.kill('SIGSTOP')
    process.kill(pid, 'SIGKILL')
    child.kill('SIGKILL')

    const server = await start(folder)
    const rows = await query(server.url, 'SELECT 1 AS one')
    await server.stop()

    assert.deepEqual(rows, [{ one: 1 }])
  })

  test('starts when a stale lock file names a process that is something else now', async () => {
    const other = spawn('sleep', ['60'], { stdio: 'ignore', ...(await ownerOf(folder)) })
    const line = [other.pid, join(folder, 'data'), 1, 1, '', '127.0.0.1', ' 1 1', 'ready'].join('\n')
    await writeFile(join(folder, 'data', 'postmaster.pid'), line)

    const server = await start(folder)
    await server.stop()

    assert.equal(other.exitCode, null)
    other.kill()
  })

  test('runs where only its owner may look, and cleans up after such folders that are gone', async () => {
    const [gone, closed] = [join(home, 'gone'), join(home, 'closed')]
    await mkdir(gone, { mode: 0o700 })
    await mkdir(closed, { mode: 0o700 })
    const first = await start(join(gone, 'postgres'))
    const data = await realpath(join(gone, 'postgres'))
    await first.stop()
    await rm(gone, { recursive: true })

    const second = await start(join(closed, 'postgres'))
    const rows = await query(second.url, 'SELECT 1 AS one')
    await second.stop()
    await rm(await realpath(join(closed, 'postgres')), { recursive: true })

    assert.deepEqual(rows, [{ one: 1 }])
    await assert.rejects(stat(data), { code: 'ENOENT' })
  })

  test('never takes old data for its own, nor removes what it cannot reach', { skip: notRoot }, async () => {
    const closed = join(home, 'reused')
    const path = join(closed, 'postgres')
    await mkdir(closed, { mode: 0o700 })
    const first = await start(path)
    await first.ensureDatabase('old')
    await first.stop()
    await rm(path)
    const second = await start(path)
    const databases = await query(second.url, "SELECT 1 FROM pg_database WHERE datname = 'old'")
    await second.stop()
    await rm(await realpath(path), { recursive: true })
    await rm(path)
    await mkdir(path)
    await writeFile(join(path, 'precious'), '')

    await assert.rejects(start(path), { name: 'Configuration', message: /cannot reach .* left as it is/ })

    assert.deepEqual(databases, [])
    await stat(join(path, 'precious'))
  })

  test('says what the server wrote when it does not start', async () => {
    const config = join(folder, 'data', 'postgresql.auto.conf')
    await appendFile(config, "no_such_setting = 'on'\n")

    await assert.rejects(start(folder), { name: 'Terminal', message: /did not start.*no_such_setting/s })

    await writeFile(config, '')
  })

  test('leaves the data of another major version alone and says what to do', async () => {
    await writeFile(join(folder, 'data', 'PG_VERSION'), '12\n')

    await assert.rejects(start(folder), { name: 'Configuration', message: /made by PostgreSQL 12.*Move .* away/s })

    assert.equal(await readFile(join(folder, 'data', 'PG_VERSION'), 'utf8'), '12\n')
  })
})

function start(folder: string): Promise<PostgresServer> {
  return startPostgresServer({ folder, durable: false })
}

async function startInChild(folder: string) {
  const code = `
    import { startPostgresServer } from 'dray-infra/internal/local/postgres.ts'
    await startPostgresServer({ folder: ${JSON.stringify(folder)}, durable: false })
    process.stdout.write('ready')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: join(import.meta.dirname, '..', '..', '..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function postmasterPid(folder: string): Promise<number> {
  return Number.parseInt(await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8'), 10)
}

async function ownerOf(folder: string): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {}
  const [uid, gid] = execFileSync('stat', ['-c', '%u %g', folder], { encoding: 'utf8' }).split(' ').map(Number)
  return { uid: uid as number, gid: gid as number }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(condition: () => boolean): Promise<void> {
  const limit = Date.now() + 20_000
  while (!condition()) {
    assert.ok(Date.now() < limit, 'timed out')
    await sleep(20)
  }
}
