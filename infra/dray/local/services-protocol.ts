import { join } from 'node:path'

/** What a command may ask the services process for. */
export interface ServiceNeeds {
  readonly dynamodb: boolean
  /** Names of databases on the embedded PostgreSQL; it is not started when there are none. */
  readonly postgres: readonly string[]
}

/** The first line of a connection: a command says who it is and what it needs. */
export interface ServiceRequest {
  readonly token: string
  readonly needs: ServiceNeeds
}

/**
 * The first answer, at once, says that this is the process that was asked for; the second one comes when everything
 * needed is up. `stopping`: the process is on its way out, a new one has to be started.
 */
export type ServiceReply =
  | { readonly status: 'ready'; readonly dynamodb: string | null; readonly postgres: Readonly<Record<string, string>> }
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

/** The state table of the local DynamoDB; made with it. */
export const STATE_TABLE_NAME = 'dray'
