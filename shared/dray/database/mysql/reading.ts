import type { Readable } from 'node:stream'
import type { Connection as Driver, FieldPacket } from 'mysql2'
import type { Text } from '#dray/block/block.ts'
import { TerminalError } from '#dray/errors.ts'
import { withoutStatement } from './reply.ts'
import { takeRowPackets } from './row-packets.ts'
import { hexadecimal, readAsText } from './values.ts'

const QUEUED_PAGES = 2
/** What the socket gives at once, at most, with whole rows in it. */
const MOST_AT_ONCE = 128 * 1024

/** What a row may have, and what is done with the connection where one has more. */
export interface MostBytes {
  readonly bytes: number
  refuse(): void
}

export function streamOf(driver: Driver): Readable & { ref(): void; unref(): void } {
  return (driver as unknown as { stream: Readable & { ref(): void; unref(): void } }).stream
}

/** Makes pages of rows. */
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
export class Reading<Page> {
  readonly over: Promise<void>
  isOver = false
  readonly #driver: Driver
  readonly #pages: Page[] = []
  #discarding = false
  #error: Error | null = null
  #wake: (() => void) | null = null
  #finish: () => void = () => {}

  constructor(driver: Driver, sql: string, collect: PageMaker<Page> | PacketMaker<Page>, most?: MostBytes) {
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
      const isRow = most === undefined ? () => true : this.#measured(most)
      takeRowPackets(command, (bytes, from, to) => {
        if (!isRow(to - from)) return
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

  /**
   * Counts what comes since the last row, which mysql2 would hold until it has all of a row. Says whether a row of so
   * many bytes is to be taken.
   */
  #measured({ bytes: most, refuse }: MostBytes): (bytes: number) => boolean {
    const stream = streamOf(this.#driver)
    let waiting = 0
    let isRefused = false
    const refuseOnce = () => {
      if (isRefused || this.isOver || this.#discarding) return
      isRefused = true
      refuse()
    }
    const count = (chunk: Buffer) => {
      // Whole rows of the chunk are taken off as they are read, before or after this.
      waiting += chunk.length
      if (waiting > most + MOST_AT_ONCE) refuseOnce()
    }
    stream.on('data', count)
    void this.over.then(() => stream.off('data', count))
    return (bytes) => {
      waiting = 0
      if (bytes > most) refuseOnce()
      return !isRefused
    }
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

/** Pages of so many rows as they are. */
export class RowPages implements PageMaker<readonly (readonly Text[])[]> {
  readonly #size: number
  #rows: Text[][] = []

  constructor(size: number) {
    this.#size = size
  }

  row(values: Text[]): readonly (readonly Text[])[] | null {
    this.#rows.push(values)
    return this.#rows.length >= this.#size ? this.#take() : null
  }

  rest(): readonly (readonly Text[])[] | null {
    return this.#rows.length === 0 ? null : this.#take()
  }

  #take(): readonly (readonly Text[])[] {
    const rows = this.#rows
    this.#rows = []
    return rows
  }
}
