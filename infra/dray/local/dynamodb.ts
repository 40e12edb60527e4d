import { mkdir } from 'node:fs/promises'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { type FolderLock, takeFolderLock } from './folder-lock.ts'
import { guardServer, newToken } from './guard-server.ts'

interface DynaliteOptions {
  readonly path?: string
  readonly createTableMs: number
  readonly deleteTableMs: number
  readonly updateTableMs: number
}

// Dynalite has no types.
const dynalite = createRequire(import.meta.url)('dynalite') as (options: DynaliteOptions) => Server

export interface LocalDynamoDb {
  /** Its URL; the user in it is the id of the access key that a client has to have. */
  readonly endpoint: string
  stop(): Promise<void>
}

const HOST = '127.0.0.1'
/** A request of which not everything arrives is never answered. */
const LAST_ANSWERS_MS = 2_000

/**
 * Dynalite throws, out of anyone's reach, when a client goes away in the middle of a request, and when it is closed in
 * the middle of one. Returns a promise for the end of all requests that are being worked on, whether anybody waits for
 * their answers or not.
 */
function surviveLostClients(server: Server): () => Promise<void> {
  const working = new Set<Promise<void>>()
  const handlers = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const answered = new Promise<void>((resolve) => {
      const end = response.end.bind(response)
      response.end = ((...answer: []) => {
        resolve()
        return end(...answer)
      }) as typeof response.end
    })
    working.add(answered)
    answered.then(() => working.delete(answered))
    for (const handle of handlers) handle(request, response)
    request.removeAllListeners('error')
    request.on('error', () => {})
    response.on('error', () => {})
  })
  return async () => {
    await Promise.race([Promise.all(working), delay(LAST_ANSWERS_MS, undefined, { ref: false })])
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, () => resolve())
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()))
    server.closeAllConnections()
  })
}

/** LevelDB reports a second process only by an exception out of anyone's reach, so the folder is locked before. */
async function lockFolder(folder: string): Promise<FolderLock> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const lock = takeFolderLock(join(folder, 'lock'))
  if (lock) return lock
  throw new ConfigurationError(
    `The local DynamoDB in ${folder} is used by another process, so it cannot be started. Wait for that process or end it.`,
  )
}

/**
 * Starts dynalite in this process, on a free port unless told, reachable from this machine only, and by those who know
 * its endpoint: what an earlier version kept is read by it, and tests hold the local state against it. Tables are kept
 * in `folder`, or in memory without one. Throws `Configuration` when another process uses the folder.
 */
export async function startDynamoDb(options: { folder?: string; port?: number } = {}): Promise<LocalDynamoDb> {
  const { folder, port = 0 } = options
  const lock = folder === undefined ? null : await lockFolder(folder)
  if (folder !== undefined) await mkdir(join(folder, 'data'), { recursive: true, mode: 0o700 })
  const server = dynalite({
    ...(folder === undefined ? {} : { path: join(folder, 'data') }),
    createTableMs: 0,
    deleteTableMs: 0,
    updateTableMs: 0,
  })
  const lastAnswers = surviveLostClients(server)
  const token = newToken()
  guardServer(server, token)
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= lastAnswers()
      .then(() => close(server))
      .finally(() => lock?.release())
    return stopping
  }
  try {
    await listen(server, port)
  } catch (error) {
    lock?.release()
    throw new ConfigurationError(
      `The local DynamoDB cannot listen on ${HOST}:${port}: ${(error as Error).message}. Choose another port.`,
      { cause: error },
    )
  }
  return { endpoint: `http://${token}@${HOST}:${(server.address() as AddressInfo).port}`, stop }
}
