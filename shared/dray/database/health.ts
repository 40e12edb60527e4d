import type { AdapterOptions, Connection } from './adapter.ts'

/** Fine; fine but for what is said; a run would fail; could not be found out. */
export type Verdict = 'ok' | 'warning' | 'broken' | 'unknown'

/** What a check has found: what, where, the consequence and the remedy. */
export interface Checked {
  readonly check: string
  readonly verdict: Verdict
  readonly said: string
}

/** How many connections somebody may have, and how many are open. */
export interface ConnectionLimit {
  /** As the end of a sentence: `of the server (max_connections)`. */
  readonly what: string
  readonly most: number
  readonly used: number
}

/** What a server says of itself, and of the session. */
export interface ServerFacts {
  readonly version: string
  readonly user: string
  /** Milliseconds since 1970; null where it is this machine's. */
  readonly clock: number | null
  /** The version of TLS of the session; null where nothing is encrypted. */
  readonly tls: string | null
  readonly limits: readonly ConnectionLimit[]
}

/** Where a server listens. */
export interface ServerPlace {
  readonly host: string
  readonly port: number
}

/** What of a database is going to be used. */
export interface DatabaseUse {
  readonly isRead: boolean
  /** Windows of time are read. */
  readonly isReadByTime: boolean
  readonly isWritten: boolean
}

/** What `dray doctor` asks a server, beside what each session checks; the same role in the folder of each engine. */
export interface Health {
  /** Null of a file or a socket. Throws `Configuration` for a URL that is malformed. */
  placeOf(options: AdapterOptions): ServerPlace | null
  facts(connection: Connection): Promise<ServerFacts>
  /** What of its settings and of the user's rights costs something, or keeps a run from working. */
  remarks(connection: Connection, database: string, use: DatabaseUse): Promise<readonly Checked[]>
  /** Why rows of Dray's own tables could not be kept, with the remedy; null where such tables can be made. */
  cannotMakeTables(connection: Connection): Promise<string | null>
  /** A transaction that is going to write keeps nobody from writing before it does. */
  readonly beginsWithoutLock: boolean
  /** A SELECT, of this table, that has a row where an index begins with this column. */
  indexOf(table: string, column: string): { readonly sql: string; readonly parameters: readonly string[] }
}

export function found(check: string, verdict: Verdict, said: string): Checked {
  return { check, verdict, said }
}
