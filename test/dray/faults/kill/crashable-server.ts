import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startPostgresServer } from 'dray-infra/internal/local/postgres.ts'
import { findMysqlServer, isRealMysql, othersSkipped } from '#test/services/mysql-server.ts'
import { type Engine, observe } from './engines.ts'
import type { Server } from './server.ts'

/**
 * A server that keeps what it has acknowledged, can crash at once, and comes back over the same data on the same port.
 */
export interface CrashableServer extends Server {
  crash(): void
  /** Resolves when it answers again. */
  restart(): Promise<void>
  /** The URL of one of its databases that a server which has just been started lets sign in by. */
  signInAnew(url: string): string
}

export function crashableServer(engine: Engine): Promise<CrashableServer | { readonly unavailable: string }> {
  if (engine === 'mariadb') return crashableMysql()
  return othersSkipped === undefined ? crashablePostgres() : Promise.resolve({ unavailable: othersSkipped })
}

/** As `pg_ctl stop -m immediate` does it: SIGQUIT, no checkpoint, sessions cut off. */
async function crashablePostgres(): Promise<CrashableServer> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-crash-'))
  await chmod(folder, 0o755)
  const options = { folder: join(folder, 'postgres'), durable: true }
  let server = await startPostgresServer(options)
  const port = Number(new URL(server.url).port)
  const data = join(await realpath(options.folder), 'data')
  let databases = 0
  return {
    createDatabase: () => server.ensureDatabase(`crash_${++databases}`),
    crash() {
      process.kill(Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGQUIT')
    },
    async restart() {
      await server.stop()
      server = await startPostgresServer({ ...options, port })
    },
    signInAnew: (url) => url,
    async stop() {
      await server.stop()
      await rm(await realpath(options.folder), { recursive: true, force: true })
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function crashableMysql(): Promise<CrashableServer | { readonly unavailable: string }> {
  const server = await findMysqlServer({ arguments: ['--innodb-flush-log-at-trx-commit=1'] })
  if ('unavailable' in server) return server
  const url = await server.createDatabase()
  const observer = await observe(url)
  const [[pidFile = '', data = ''] = []] = (await observer.run('select @@pid_file, @@datadir')) as string[][]
  await observer.end()
  let pid = Number(readFileSync(pidFile, 'utf8'))
  const [program = '', ...parameters] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  let again: ReturnType<typeof spawn> | null = null
  return {
    createDatabase: () => server.createDatabase(),
    crash: () => void process.kill(pid, 'SIGKILL'),
    async restart() {
      while (isAlive(pid)) await delay(10)
      again = spawn(program, parameters, { stdio: 'ignore' })
      pid = again.pid as number
      for (const patience = Date.now() + 30_000; Date.now() < patience; await delay(50)) {
        const ready = await observe(url).catch(() => null)
        if (ready !== null) return ready.end()
      }
      throw new Error('the server did not come back within 30 s')
    },
    // MySQL has forgotten its passwords, and asks for them in full: without TLS they are not sent.
    signInAnew: (url) => (isRealMysql ? `${url}?sslmode=verify-ca&ssl-ca=${join(data, 'ca.pem')}` : url),
    async stop() {
      if (again !== null) {
        const ended = once(again, 'exit')
        again.kill('SIGKILL')
        await ended
      }
      await server.stop()
    },
  }
}

/** A killed child is a zombie until its parent has looked at it. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
