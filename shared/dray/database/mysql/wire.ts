import type { Readable } from 'node:stream'
import type { Connection as Driver, FieldPacket, ResultSetHeader } from 'mysql2'
import type { Text } from '#dray/block/block.ts'
import { TerminalError, TransientError } from '#dray/errors.ts'
import type { QueryResult } from '../adapter.ts'
import { takeRowPackets } from './row-packets.ts'
import { hexadecimal, NO_COLUMNS, readAsText, type TextColumns } from './text-rows.ts'

/** What the server answers to one statement. */
export interface Reply extends QueryResult {
  readonly warnings: number
  /** For INSERT … SELECT: rows given, rows that were there and changed. */
  readonly counts: { readonly records: number; readonly duplicates: number }
}

export interface WireOptions {
  readonly signal?: AbortSignal | undefined
  /** What LOAD DATA LOCAL reads; without it the server gets no file whatever it asks for. */
  readonly file?: () => Readable
}

type Kill = (threadId: number, what: 'QUERY' | 'CONNECTION') => Promise<void>

const NO_COUNTS = { records: 0, duplicates: 0 }
const DRAIN_MS = 20
const KILL_MS = 5_000
const QUEUED_PAGES = 2

/** One connection of mysql2, with statements as they are, every value as text, and statements that can be stopped. */
export class Wire {
  readonly #driver: Driver
  readonly #kill: Kill
  readonly #database: string
  #lost: Error | null = null
  #onLost: ((error: Error) => void) | null = null

  constructor(driver: Driver, database: string, kill: Kill) {
    this.#driver = driver
    this.#database = database
    this.#kill = kill
    driver.on('error', (error: Error) => this.#lose(error))
    driver.on('end', () => this.#lose(new TransientError(`${database}: the server closed the connection.`)))
  }

  get isOpen(): boolean {
    return this.#lost === null
  }

  #lose(error: Error): void {
    this.#lost ??= error
    this.#onLost?.(this.#lost)
  }

  /**
   * Closes the socket at once, and frees the server's side, which would otherwise work on until it writes, and keep its locks. A process may be
   * frozen as soon as nobody waits for it any more: whoever can wait does.
   */
  async destroy(error: Error): Promise<void> {
    if (this.#lost !== null) return
    this.#lose(error)
    const { threadId } = this.#driver
    this.#driver.destroy()
    socketOf(this.#driver).destroy()
    await this.#kill(threadId, 'CONNECTION')
  }

  async close(): Promise<void> {
    if (this.#lost !== null) return
    this.#lost = new TransientError(`${this.#database}: the connection is closed.`)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 1_000)
      this.#driver.end(() => {
        clearTimeout(timer)
        resolve()
      })
    })
    socketOf(this.#driver).destroy()
  }

  /** While it is idle, a connection keeps no process alive. */
  idle(isIdle: boolean): void {
    const socket = socketOf(this.#driver)
    if (isIdle) socket.unref()
    else socket.ref()
  }

  async ping(timeoutMs: number): Promise<boolean> {
    if (this.#lost !== null) return false
    const alive = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs)
      this.#driver.ping((error) => {
        clearTimeout(timer)
        resolve(error === null || error === undefined)
      })
    })
    if (!alive) void this.destroy(new TransientError(`${this.#database}: the connection was dead.`))
    return alive
  }

  run(sql: string, { signal, file }: WireOptions = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const refusal = this.#lost ?? abortion(signal, this.#database)
      if (refusal) return reject(refusal)
      let columns = NO_COLUMNS
      // The driver leaves a file that it has not read to the end open.
      let reading: Readable | null = null
      const infile = () => {
        reading = (file as () => Readable)()
        return reading
      }
      const onAbort = () => {
        const error = abortion(signal, this.#database) as Error
        const isKilled = this.destroy(error)
        reading?.destroy()
        void isKilled.finally(() => reject(error))
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      const command = this.#driver.query(
        { sql, rowsAsArray: true, ...(file ? { infileStreamFactory: infile } : {}) },
        (error, result) => {
          signal?.removeEventListener('abort', onAbort)
          reading?.destroy()
          if (signal?.aborted && this.#lost !== null) return
          if (error) reject(withoutStatement(error))
          else resolve(replyOf(result as unknown, columns))
        },
      )
      command.on('fields', (fields: unknown) => {
        if (Array.isArray(fields)) columns = readAsText(fields as FieldPacket[])
      })
    })
  }

  /**
   * The pages that `collect` makes of the rows, read no faster than they are taken. When the iteration is abandoned, what is left is
   * drained, or the statement killed, so that the connection and its transaction go on.
   */
  async *pages<Page>(
    sql: string,
    collect: PageMaker<Page> | PacketMaker<Page>,
    signal?: AbortSignal,
  ): AsyncGenerator<Page> {
    const refusal = this.#lost ?? abortion(signal, this.#database)
    if (refusal) throw refusal
    const reading = new Reading(this.#driver, sql, collect)
    let isKilled: Promise<void> | null = null
    const onAbort = () => {
      isKilled = this.destroy(abortion(signal, this.#database) as Error)
    }
    this.#onLost = (error) => reading.fail(error)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      for (;;) {
        const page = await reading.next()
        if (page === undefined) return
        yield page
      }
    } finally {
      signal?.removeEventListener('abort', onAbort)
      if (!reading.isOver) await this.#abandon(reading)
      this.#onLost = null
      await isKilled
    }
  }

  async #abandon(reading: Reading<unknown>): Promise<void> {
    reading.discard()
    if (await within(reading.over, DRAIN_MS)) return
    await this.#kill(this.#driver.threadId, 'QUERY')
    if (await within(reading.over, KILL_MS)) {
      // A kill that came after the end of the statement would hit the next one.
      await this.run('DO 0').catch(() => {})
      return
    }
    await this.destroy(new TransientError(`${this.#database}: a statement that was abandoned could not be stopped.`))
  }
}

export interface PageMaker<Page> {
  /** Takes a row; returns a page when one is full. */
  row(values: Text[]): Page | null
  /** What is left, or null. */
  rest(): Page | null
}

/** The same of rows as the server sends them. */
export interface PacketMaker<Page> {
  packet(bytes: Buffer, from: number, to: number, binary: readonly number[]): Page | null
  rest(): Page | null
}

/** One result that is being read in pages. */
class Reading<Page> {
  readonly over: Promise<void>
  isOver = false
  readonly #driver: Driver
  readonly #pages: Page[] = []
  #discarding = false
  #error: Error | null = null
  #wake: (() => void) | null = null
  #finish: () => void = () => {}

  constructor(driver: Driver, sql: string, collect: PageMaker<Page> | PacketMaker<Page>) {
    this.#driver = driver
    this.over = new Promise((resolve) => {
      this.#finish = resolve
    })
    let binary: readonly number[] = []
    const command = driver.query({ sql, rowsAsArray: true })
    command.on('fields', (fields: unknown) => {
      if (Array.isArray(fields)) ({ binary } = readAsText(fields as FieldPacket[]))
    })
    const push = (page: Page | null) => {
      if (page !== null) this.#push(page)
    }
    if ('packet' in collect) {
      takeRowPackets(command, (bytes, from, to) => {
        if (!this.#discarding) push(collect.packet(bytes, from, to, binary))
      })
    }
    command.on('result', (row: unknown) => {
      if (this.#discarding || !Array.isArray(row)) return
      if ('packet' in collect)
        return this.fail(new TerminalError('mysql2 has read a row by itself, which would be lost.'))
      const values = row as (Text | Buffer)[]
      push(collect.row(binary.length === 0 ? (values as Text[]) : hexadecimal(values, binary)))
    })
    command.on('error', (error: Error) => this.fail(withoutStatement(error)))
    command.on('end', () => {
      const rest = this.#error === null && !this.#discarding ? collect.rest() : null
      if (rest !== null) this.#pages.push(rest)
      this.#end()
    })
  }

  #push(page: Page): void {
    this.#pages.push(page)
    if (this.#pages.length >= QUEUED_PAGES) this.#driver.pause()
    this.#wake?.()
  }

  #end(): void {
    this.isOver = true
    this.#finish()
    this.#wake?.()
  }

  fail(error: Error): void {
    this.#error ??= error
    this.#pages.length = 0
    this.#end()
  }

  discard(): void {
    this.#discarding = true
    this.#pages.length = 0
    this.#driver.resume()
  }

  async next(): Promise<Page | undefined> {
    for (;;) {
      if (this.#error !== null) throw this.#error
      const page = this.#pages.shift()
      if (page !== undefined) {
        if (!this.isOver && this.#pages.length < QUEUED_PAGES) this.#driver.resume()
        return page
      }
      if (this.isOver) return undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = null
    }
  }
}

function replyOf(result: unknown, { names, binary }: TextColumns): Reply {
  // A procedure answers with an array of results and a header; what is read of it is its last result.
  const rows = rowsOf(result, names.length > 0)
  if (rows !== null) {
    const texts = binary.length === 0 ? (rows as Text[][]) : rows.map((row) => hexadecimal(row, binary))
    return { columns: names, rows: texts, affected: 0, warnings: 0, counts: NO_COUNTS }
  }
  const header = (Array.isArray(result) ? result.at(-1) : result) as ResultSetHeader
  const [records = 0, duplicates = 0] = (header.info.match(/\d+/g) ?? []).map(Number)
  return {
    columns: [],
    rows: [],
    affected: header.affectedRows,
    warnings: header.warningStatus,
    counts: { records, duplicates },
  }
}

function rowsOf(result: unknown, hasColumns: boolean): (Text | Buffer)[][] | null {
  if (!hasColumns || !Array.isArray(result)) return null
  const isCall = result.length > 0 && !Array.isArray(result.at(-1))
  return isCall ? (result.findLast((part) => Array.isArray(part)) ?? null) : result
}

/** The statement holds values, which must not get into logs with the error. */
function withoutStatement(error: Error): Error {
  delete (error as { sql?: string }).sql
  return error
}

function abortion(signal: AbortSignal | undefined, database: string): TransientError | null {
  if (!signal?.aborted) return null
  return new TransientError(`${database}: the statement was stopped, and its transaction rolled back.`, {
    cause: signal.reason,
  })
}

function socketOf(driver: Driver): Readable & { ref(): void; unref(): void } {
  return (driver as unknown as { stream: Readable & { ref(): void; unref(): void } }).stream
}

async function within(promise: Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds)
  })
  const result = await Promise.race([promise.then(() => true), late])
  clearTimeout(timer)
  return result
}
