import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { writeJsonLines } from '#dray/staging/documents.ts'
import type { Services } from '../services.ts'

/** So many are held before they are handed on. */
const MOST_CHARACTERS = 4 * 1024 * 1024

/**
 * Rows that are kept aside while others go on. A few are written at the end; where they are many or large, they are
 * written while they come, so that a partition of them does not have to fit into memory.
 */
export class RowsAside {
  readonly #prefix: string
  readonly #services: Services
  #held: QuarantinedRow[] = []
  #characters = 0
  #stream: PassThrough | null = null
  #staged: Promise<StagedObject> | null = null

  constructor(prefix: string, services: Services) {
    this.#prefix = prefix
    this.#services = services
  }

  push(row: QuarantinedRow): void {
    this.#held.push(row)
    for (const text of Object.values(row.row)) this.#characters += text?.length ?? 0
  }

  /** Hands on what is held where it is much; throws where it could not be written. */
  async relieve(): Promise<void> {
    if (this.#characters < MOST_CHARACTERS) return
    this.#stream ??= this.#open()
    for (const row of this.#held) {
      if (!this.#stream.write(row)) await Promise.race([once(this.#stream, 'drain'), this.#staged])
    }
    this.#held = []
    this.#characters = 0
  }

  /** What is staged; null where there is no row. */
  async stage(): Promise<StagedObject | null> {
    if (this.#stream === null) return this.#held.length === 0 ? null : this.#write(this.#held)
    for (const row of this.#held) this.#stream.write(row)
    this.#stream.end()
    return this.#staged
  }

  /** Leaves nothing behind that is being written. */
  async abandon(reason: Error): Promise<void> {
    this.#stream?.destroy(reason)
    await this.#staged?.catch(() => {})
  }

  #open(): PassThrough {
    const stream = new PassThrough({ objectMode: true, highWaterMark: 1 })
    this.#staged = this.#write(stream)
    // It throws for whoever waits for it; nobody may, until then.
    this.#staged.catch(() => {})
    return stream
  }

  #write(rows: Iterable<QuarantinedRow> | AsyncIterable<QuarantinedRow>): Promise<StagedObject> {
    return writeJsonLines(this.#services.staging, this.#prefix, rows, { signal: this.#services.signal })
  }
}
