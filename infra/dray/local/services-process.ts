import { randomBytes } from 'node:crypto'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { keepCompiled } from '#dray-infra/bundle/compile-cache.ts'
import { ignoreExperimentalWarnings } from './experimental-warnings.ts'
import { takeFolderLock } from './folder-lock.ts'
import {
  ALREADY_SERVED,
  isProof,
  type ProvenReply,
  proofOf,
  type ServiceNeeds,
  type ServiceReply,
  type ServiceRequest,
  servicesFile,
  servicesLock,
} from './services-protocol.ts'

/*
 * One process for each `.dray` folder, started by the first command that needs a service and shared by all. A
 * connection is a claim: when the last one closes, even by kill -9 of its command, the services stop and the process
 * ends. It has its own session, so that Ctrl-C stops the command first and the databases after it.
 */

keepCompiled()
ignoreExperimentalWarnings()

const IDLE_AT_START_MS = 15_000
const MOST_REQUEST_BYTES = 65_536

const home = process.argv[2] as string
const lock = takeFolderLock(servicesLock(home))
if (!lock) process.exit(ALREADY_SERVED)

const token = randomBytes(24).toString('hex')
const claims = new Set<Socket>()
const stops: (() => Promise<void>)[] = []
let stopping: Promise<void> | null = null

const postgres = once(async () => {
  const { startPostgresServer } = await import('./postgres.ts')
  const folder = join(home, 'postgres')
  let server = await startPostgresServer({ folder })
  stops.push(() => server.stop())
  const port = Number(new URL(server.url).port)
  // A command, or a shell that `dray services` has told, knows its URL: a server that died comes back at the same one.
  const revive = async (): Promise<void> => {
    await server.ended
    if (stopping) return
    process.stderr.write('The embedded PostgreSQL ended by itself; it is started again.\n')
    server = await startPostgresServer({ folder, port })
    await revive()
  }
  revive().catch((error) => {
    process.stderr.write(`The embedded PostgreSQL could not be started again: ${error}\n`)
    delete postgres.started
    postgresUrls.clear()
  })
  return server
})

const postgresUrls = new Map<string, Promise<string>>()

async function postgresUrl(name: string): Promise<string> {
  const server = await postgres()
  const url = postgresUrls.get(name) ?? server.ensureDatabase(name)
  postgresUrls.set(name, url)
  return url
}

const server = createServer({ allowHalfOpen: true }, serve)
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number }
  const file = servicesFile(home)
  writeFileSync(`${file}.${process.pid}`, JSON.stringify({ pid: process.pid, port, token }), { mode: 0o600 })
  renameSync(`${file}.${process.pid}`, file)
})
const idle = setTimeout(() => claims.size === 0 && stop(), IDLE_AT_START_MS)
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
process.on('SIGHUP', () => {})

function serve(socket: Socket): void {
  socket.on('error', () => socket.destroy())
  socket.on('close', () => drop(socket))
  socket.on('end', () => drop(socket))
  // Every user of the machine can connect, and nothing is held for a stranger.
  socket.on('data', () => {
    if (!claims.has(socket) && socket.bytesRead > MOST_REQUEST_BYTES) socket.destroy()
  })
  const lines = createInterface(socket)
  lines.on('error', () => {})
  lines.once('line', async (line) => {
    const request = parse(line)
    if (request === null) return socket.destroy()
    const encode = (reply: ServiceReply) => encoded(reply, request.nonce)
    if (stopping) return socket.end(encode({ status: 'stopping' }))
    claims.add(socket)
    socket.write(encode({ status: 'starting' }))
    socket.write(encode(await provide(request.needs)))
  })
}

/** A command is done: the last one keeps its socket open until this process has ended, so that it can wait for that. */
function drop(socket: Socket): void {
  if (!claims.delete(socket)) return
  if (claims.size === 0) stop()
  else socket.end()
}

async function provide(needs: ServiceNeeds): Promise<ServiceReply> {
  try {
    const urls = await Promise.all(needs.postgres.map(postgresUrl))
    const pairs = needs.postgres.map((name, index) => [name, urls[index] as string])
    return { status: 'ready', postgres: Object.fromEntries(pairs) }
  } catch (error) {
    const { name, message } = error as Error
    return { status: 'failed', name, message }
  }
}

function stop(): void {
  clearTimeout(idle)
  stopping ??= (async () => {
    rmSync(servicesFile(home), { force: true })
    await Promise.allSettled([postgres.started])
    const results = await Promise.allSettled(stops.map((end) => end()))
    for (const result of results) if (result.status === 'rejected') process.stderr.write(`${result.reason}\n`)
    lock?.release()
    process.exit(0)
  })()
}

/** What a command asks for; null where it does not know the token. */
function parse(line: string): ServiceRequest | null {
  try {
    const request = JSON.parse(line) as ServiceRequest | null
    if (typeof request?.nonce !== 'string') return null
    return isProof(request.proof, proofOf(token, request.nonce, JSON.stringify(request.needs))) ? request : null
  } catch {
    return null
  }
}

function encoded(reply: ServiceReply, nonce: string): string {
  const text = JSON.stringify(reply)
  const proven: ProvenReply = { reply: text, proof: proofOf(token, nonce, text) }
  return `${JSON.stringify(proven)}\n`
}

/** Runs `start` at the first call; a failure is forgotten, so that the next command tries again. */
function once<T>(start: () => Promise<T>): { (): Promise<T>; started?: Promise<T> } {
  const call: { (): Promise<T>; started?: Promise<T> } = () => {
    call.started ??= start().catch((error) => {
      delete call.started
      throw error
    })
    return call.started
  }
  return call
}
