import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { openSync, readFileSync, statfsSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { logFolder, makeHome } from './home.ts'
import {
  ALREADY_SERVED,
  isProof,
  type ProvenReply,
  proofOf,
  type ServiceNeeds,
  type ServiceReply,
  type ServiceRequest,
  type ServicesFile,
  servicesFile,
} from './services-protocol.ts'

const START_WITHIN_MS = 90_000
const POLL_MS = 10
/** A process that was asked says at once that it is there. */
const FIRST_ANSWER_WITHIN_MS = 1_500
/** How often one that has the folder may fail to. */
const MOST_SILENCES = 4
/** With less nothing starts, nor does its log say so. */
const FULL_BYTES = 64 * 1024

export interface ServicesConnection {
  /** URL of each database on the embedded PostgreSQL. */
  readonly postgres: Readonly<Record<string, string>>
  /** Gives up the claim; where it was the last, waits until the services and their process have ended. */
  close(): Promise<void>
}

/**
 * Connects to the services process of a folder, starting it when there is none, which calls `onStart`.
 * Throws `Configuration` when a service cannot start.
 */
export async function connectServices(
  home: string,
  needs: ServiceNeeds,
  onStart?: () => void,
): Promise<ServicesConnection> {
  makeHome(home)
  const deadline = Date.now() + START_WITHIN_MS
  let child: ChildProcess | null = null
  for (let silences = 0; ; ) {
    const connection = await attempt(home, needs, child)
    if (connection === 'silent' && ++silences === MOST_SILENCES) throw silent(home)
    if (connection !== null && connection !== 'silent') return connection
    if (!child || child.exitCode !== null || child.signalCode !== null) {
      if (child && child.exitCode !== ALREADY_SERVED) throw ended(home, child)
      if (!child) onStart?.()
      child = startProcess(home)
    }
    if (Date.now() > deadline) throw unreachable(home)
    await delay(POLL_MS)
  }
}

async function attempt(
  home: string,
  needs: ServiceNeeds,
  child: ChildProcess | null,
): Promise<ServicesConnection | 'silent' | null> {
  const file = readServicesFile(home)
  const socket = file && (await open(file.port))
  if (!file || !socket) return null
  const reply = await ask(socket, file.token, needs)
  if (reply === 'silent' || reply === null) {
    socket.destroy()
    return reply
  }
  if (reply.status === 'ready') {
    let closing: Promise<void> | undefined
    const closeOnce = () => {
      closing ??= close(socket, child)
      return closing
    }
    return { postgres: reply.postgres, close: closeOnce }
  }
  if (reply.status === 'failed') {
    await close(socket, child)
    throw new ConfigurationError(`The local services cannot start: ${reply.message}`)
  }
  socket.destroy()
  return null
}

function startProcess(home: string): ChildProcess {
  const log = openSync(join(logFolder(home), 'services.log'), 'a', 0o600)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'services-process.ts'), home], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  child.unref()
  return child
}

function readServicesFile(home: string): ServicesFile | null {
  try {
    const file = parse<ServicesFile>(readFileSync(servicesFile(home), 'utf8'))
    return Number.isInteger(file?.port) && typeof file?.token === 'string' ? file : null
  } catch {
    return null
  }
}

function open(port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.once('connect', () => resolve(socket))
    socket.on('error', () => resolve(null))
  })
}

/**
 * The answer of the services process; null when the connection closes before, or when what is there does not know the
 * token: the port may be that of another program now. `silent` when nothing is said at all.
 */
function ask(socket: Socket, token: string, needs: ServiceNeeds): Promise<ServiceReply | 'silent' | null> {
  const nonce = randomBytes(16).toString('hex')
  const request: ServiceRequest = { nonce, proof: proofOf(token, nonce, JSON.stringify(needs)), needs }
  return new Promise((resolve) => {
    const impatience = setTimeout(() => resolve('silent'), FIRST_ANSWER_WITHIN_MS)
    const lines = createInterface(socket)
    // A process on its way out may reset the connection; the socket closes then, too.
    lines.on('error', () => {})
    lines.on('line', (line) => {
      clearTimeout(impatience)
      const proven = parse<ProvenReply>(line)
      const isKnown = typeof proven?.reply === 'string' && isProof(proven.proof, proofOf(token, nonce, proven.reply))
      const reply = isKnown ? parse<ServiceReply>(proven.reply) : null
      if (reply?.status !== 'starting') resolve(reply)
    })
    socket.once('close', () => {
      clearTimeout(impatience)
      resolve(null)
    })
    socket.write(`${JSON.stringify(request)}\n`)
  })
}

function parse<T>(text: string): T | null {
  try {
    return JSON.parse(text) as T
  } catch {
    return null
  }
}

async function close(socket: Socket, child: ChildProcess | null): Promise<void> {
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const others = new Promise((resolve) => socket.once('end', resolve))
  socket.resume()
  socket.end()
  await Promise.race([closed, others])
  socket.destroy()
  // The end of the socket comes from the end of the process, or from a process that goes on for others.
  if (child && readChildEnds(child)) await ends(child)
}

function readChildEnds(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

async function ends(child: ChildProcess): Promise<void> {
  await Promise.race([new Promise((resolve) => child.once('exit', resolve)), delay(200)])
}

function ended(home: string, child: ChildProcess): Error {
  const how = child.signalCode ?? `code ${child.exitCode}`
  const { bavail, bsize } = statfsSync(home)
  const reason =
    bavail * bsize < FULL_BYTES
      ? `the disk of ${home} is full, so nothing was run: free some of it, and run the command again.`
      : `its reason is in ${join(logFolder(home), 'services.log')}.`
  return new ConfigurationError(`The process of the local services ended (${how}) before they were up; ${reason}`)
}

function unreachable(home: string): Error {
  return new ConfigurationError(
    `The local services did not come up within ${START_WITHIN_MS / 1000} s; see ${join(logFolder(home), 'services.log')}.`,
  )
}

function silent(home: string): Error {
  const pid = readServicesFile(home)?.pid
  return new ConfigurationError(
    `The process of the local services (${pid}) is there and does not answer, so nothing was run; end it, and the next command starts another: kill -9 ${pid}`,
  )
}
