import type { Readable } from 'node:stream'
import type { Connection as Driver, FieldPacket } from 'mysql2'
import { TransientError } from '#dray/errors.ts'
import { RowTooLarge } from '../row-too-large.ts'
import { type PacketMaker, type PageMaker, Reading, streamOf } from './reading.ts'
import { type Reply, replyOf, withoutStatement } from './reply.ts'
import type { Place } from './url.ts'
import { NO_COLUMNS, readAsText, type TextColumns } from './values.ts'

export interface RunOptions {
  readonly signal?: AbortSignal | undefined
  /** What LOAD DATA LOCAL reads; without it the server gets no file whatever it asks for. */
  readonly file?: () => Readable
}

type Kill = (threadId: number, what: 'QUERY' | 'CONNECTION') => Promise<void>

const DRAIN_MILLISECONDS = 20
const KILL_MILLISECONDS = 5_000

/** One connection of mysql2, with statements as they are, every value as text, and statements that can be stopped. */
export class MysqlSession {
  readonly place: Place
  readonly #driver: Driver
  readonly #kill: Kill
  #lost: Error | null = null
  #onLost: ((error: Error) => void) | null = null

  constructor(driver: Driver, place: Place, kill: Kill) {
    this.#driver = driver
    this.place = place
    this.#kill = kill
    driver.on('error', (error: Error) => this.#lose(error))
    driver.on('end', () => this.#lose(new TransientError(`${place.name}: the server closed the connection.`)))
  }

  get isOpen(): boolean {
    return this.#lost === null
  }

  #lose(error: Error): void {
    this.#lost ??= error
    this.#onLost?.(this.#lost)
  }

  /**
   * Closes the socket at once, and frees the server's side, which would otherwise work on until it writes, and keep its
   * locks. A process may be frozen as soon as nobody waits for it any more: whoever can wait does.
   */
  async destroy(error: Error): Promise<void> {
    if (this.#lost !== null) return
    this.#lose(error)
    const { threadId } = this.#driver
    this.#driver.destroy()
    streamOf(this.#driver).destroy()
    await this.#kill(threadId, 'CONNECTION')
  }

  async close(): Promise<void> {
    if (this.#lost !== null) return
    this.#lost = new TransientError(`${this.place.name}: the connection is closed.`)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 1_000)
      this.#driver.end(() => {
        clearTimeout(timer)
        resolve()
      })
    })
    streamOf(this.#driver).destroy()
  }

  /** While it is idle, a connection keeps no process alive. */
  setIdle(isIdle: boolean): void {
    const socket = streamOf(this.#driver)
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
    if (!alive) void this.destroy(new TransientError(`${this.place.name}: the connection was dead.`))
    return alive
  }

  run(sql: string, { signal, file }: RunOptions = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const refusal = this.#lost ?? abortion(signal, this.place)
      if (refusal) return reject(refusal)
      let columns = NO_COLUMNS
      // The driver leaves a file that it has not read to the end open.
      let reading: Readable | null = null
      const infile = () => {
        reading = (file as () => Readable)()
        return reading
      }
      const onAbort = () => {
        const error = abortion(signal, this.place) as Error
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

  /** The columns that a statement would give; the server does not run it. */
  prepare(sql: string, signal?: AbortSignal): Promise<TextColumns> {
    return new Promise((resolve, reject) => {
      const refusal = this.#lost ?? abortion(signal, this.place)
      if (refusal) return reject(refusal)
      const onAbort = () => {
        const error = abortion(signal, this.place) as Error
        void this.destroy(error).finally(() => reject(error))
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#driver.prepare(sql, (error, statement) => {
        signal?.removeEventListener('abort', onAbort)
        if (error) return reject(withoutStatement(error))
        this.#driver.unprepare(sql)
        resolve(readAsText((statement as unknown as { readonly columns: FieldPacket[] }).columns))
      })
    })
  }

  /**
   * The pages that `collect` makes of the rows, read no faster than they are taken. When the iteration is abandoned,
   * what is left is drained, or the statement killed, so that the connection and its transaction go on.
   */
  async *pages<Page>(
    sql: string,
    collect: PageMaker<Page> | PacketMaker<Page>,
    { signal, mostBytes }: { readonly signal?: AbortSignal | undefined; readonly mostBytes?: number | undefined } = {},
  ): AsyncGenerator<Page> {
    const refusal = this.#lost ?? abortion(signal, this.place)
    if (refusal) throw refusal
    let isKilled: Promise<void> | null = null
    // To read on to the end of such a row may take longer than all the others together.
    const refuse = () => {
      isKilled = this.destroy(new RowTooLarge(this.place.name, mostBytes as number))
    }
    const most = mostBytes === undefined ? undefined : { bytes: mostBytes, refuse }
    const reading = new Reading(this.#driver, sql, collect, most)
    const onAbort = () => {
      isKilled = this.destroy(abortion(signal, this.place) as Error)
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
    if (await within(reading.over, DRAIN_MILLISECONDS)) return
    await this.#kill(this.#driver.threadId, 'QUERY')
    if (await within(reading.over, KILL_MILLISECONDS)) {
      // A kill that came after the end of the statement would hit the next one.
      await this.run('DO 0').catch(() => {})
      return
    }
    await this.destroy(new TransientError(`${this.place.name}: a statement that was abandoned could not be stopped.`))
  }
}

function abortion(signal: AbortSignal | undefined, { name }: Place): TransientError | null {
  if (!signal?.aborted) return null
  return new TransientError(`${name}: the statement was stopped, and its transaction rolled back.`, {
    cause: signal.reason,
  })
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
