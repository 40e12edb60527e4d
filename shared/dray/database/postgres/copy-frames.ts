import type { Readable } from 'node:stream'

type Listener = (chunk: Buffer) => void

const COPY_DATA = 100 // d
const READY_FOR_QUERY = 90 // Z
const HEADER_BYTES = 5
/** A message's length counts itself. */
const LENGTH_BYTES = 4

/** Takes what came of the rows: `whole` bytes of it, of so many rows, end with a row. */
export type TakeRows = (bytes: Buffer, whole: number, rows: number) => void

/**
 * Takes the place of `pg` at its socket while a COPY answers: the rows are moved together where they were read, without
 * an object for each of them, as PostgreSQL sends them in one message each. Every other message is passed on, and with
 * the last one `pg` has its socket back.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export class CopyFrames {
  readonly #stream: Readable
  readonly #take: TakeRows
  readonly #mostBytes: number
  readonly #refuse: () => void
  readonly #listeners: readonly Listener[]
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  #code = 0
  /** Bytes of the message that have not been read yet. */
  #left = 0

  /** Calls `refuse` at a row of more than `mostBytes`, before any of it is taken. */
  constructor(stream: Readable, take: TakeRows, mostBytes = Number.POSITIVE_INFINITY, refuse = () => {}) {
    this.#stream = stream
    this.#take = take
    this.#mostBytes = mostBytes
    this.#refuse = refuse
    this.#listeners = stream.listeners('data') as Listener[]
    for (const listener of this.#listeners) stream.off('data', listener)
    stream.on('data', this.#read)
  }

  readonly #read = (chunk: Buffer): void => {
    let from = 0
    let to = 0
    let whole = 0
    let rows = 0
    const deliver = () => {
      if (to > from || rows > 0) this.#take(chunk.subarray(from, to), whole - from, rows)
      from = to
      whole = to
      rows = 0
    }
    for (let at = 0; at < chunk.length; ) {
      if (this.#left === 0) {
        at = this.#readHeader(chunk, at)
        if (this.#headerBytes > 0) break
        if (this.#code === COPY_DATA) {
          if (this.#left > this.#mostBytes) this.#refuse()
        } else {
          deliver()
          this.#passHeader()
        }
        if (this.#code === READY_FOR_QUERY) {
          this.#end(chunk.subarray(at))
          return
        }
      } else {
        const length = Math.min(this.#left, chunk.length - at)
        if (this.#code === COPY_DATA) {
          if (to !== at) chunk.copyWithin(to, at, at + length)
          to += length
        } else this.#pass(chunk.subarray(at, at + length))
        at += length
        this.#left -= length
      }
      if (this.#left === 0 && this.#code === COPY_DATA) {
        rows += 1
        whole = to
      }
    }
    deliver()
  }

  /** Reads what is there of a header; it is whole when no bytes of it are kept. */
  #readHeader(chunk: Buffer, at: number): number {
    if (this.#headerBytes === 0 && chunk.length - at >= HEADER_BYTES) {
      this.#code = chunk[at] as number
      this.#left = chunk.readUInt32BE(at + 1) - LENGTH_BYTES
      return at + HEADER_BYTES
    }
    const read = chunk.copy(this.#header, this.#headerBytes, at, at + HEADER_BYTES - this.#headerBytes)
    this.#headerBytes = (this.#headerBytes + read) % HEADER_BYTES
    if (this.#headerBytes === 0) {
      this.#code = this.#header[0] as number
      this.#left = this.#header.readUInt32BE(1) - LENGTH_BYTES
    }
    return at + read
  }

  #passHeader(): void {
    const header = Buffer.alloc(HEADER_BYTES)
    header[0] = this.#code
    header.writeUInt32BE(this.#left + LENGTH_BYTES, 1)
    this.#pass(header)
  }

  #pass(bytes: Buffer): void {
    for (const listener of this.#listeners) listener(bytes)
  }

  /** The server waits for the next query, which `pg` may send as soon as it has read the message. */
  #end(rest: Buffer): void {
    this.#stream.off('data', this.#read)
    for (const listener of this.#listeners) this.#stream.on('data', listener)
    this.#pass(rest.subarray(0, this.#left))
    const behind = rest.subarray(this.#left)
    if (behind.length > 0) for (const listener of this.#stream.listeners('data')) (listener as Listener)(behind)
  }
}
