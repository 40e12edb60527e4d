import { createHmac, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'

/** What a command may ask the services process for. */
export interface ServiceNeeds {
  /** Names of databases on the embedded PostgreSQL; it is not started when there are none. */
  readonly postgres: readonly string[]
}

/**
 * The first line of a connection: a command says what it needs, and proves that it knows the token. Nobody says the
 * token itself, and each answer proves it as well: a process that has died keeps its place in the file, and every user
 * of the machine can take its port.
 */
export interface ServiceRequest {
  /** New for each connection. */
  readonly nonce: string
  readonly proof: string
  readonly needs: ServiceNeeds
}

/** What only who knows the token can say in a connection, about a text. */
export function proofOf(token: string, nonce: string, text: string): string {
  return createHmac('sha256', token).update(`${nonce} ${text}`).digest('hex')
}

export function isProof(given: unknown, proof: string): boolean {
  if (typeof given !== 'string' || given.length !== proof.length) return false
  return timingSafeEqual(Buffer.from(given), Buffer.from(proof))
}

/** A line of an answer. */
export interface ProvenReply {
  /** A `ServiceReply` as JSON. */
  readonly reply: string
  readonly proof: string
}

/**
 * The first answer, at once, says that this is the process that was asked for; the second one comes when everything
 * needed is up. `stopping`: the process is on its way out, a new one has to be started.
 */
export type ServiceReply =
  | { readonly status: 'ready'; readonly postgres: Readonly<Record<string, string>> }
  | { readonly status: 'starting' }
  | { readonly status: 'stopping' }
  | { readonly status: 'failed'; readonly name: string; readonly message: string }

/** How to reach a running services process; readable by its user alone. */
export interface ServicesFile {
  readonly pid: number
  readonly port: number
  readonly token: string
}

export const servicesFile = (home: string): string => join(home, 'services.json')
export const servicesLock = (home: string): string => join(home, 'services.lock')

/** The exit code that says: another process serves this folder already. */
export const ALREADY_SERVED = 3

/** What the functions' variables call the local state. */
export const STATE_TABLE_NAME = 'dray'
