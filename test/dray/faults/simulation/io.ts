/** One request of a handler to something outside of it: a database, the state table, staging. */
export interface Operation {
  readonly name: string
  /** Fires when whoever asked gives up. */
  readonly signal?: AbortSignal | undefined
  /** What the driver throws when the request, or the reply to it, is lost. */
  readonly fault: () => Error
  /** What else becomes of a lost request: the connection breaks. */
  readonly lost?: () => void
}

/** Lets a request happen, or goes wrong before or after it. */
export type Io = <T>(operation: Operation, perform: () => T | Promise<T>) => Promise<T>

/** Nothing goes wrong. */
export const directly: Io = async (_operation, perform) => perform()
