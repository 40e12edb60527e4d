import type { Text } from 'dray/internal/block/block.ts'

/** A row by column. */
export type Row = Readonly<Record<string, Text>>

/** What a transaction did to one row. */
export interface Change {
  readonly table: string
  readonly before: Row | null
  readonly after: Row | null
}

interface Done extends Change {
  readonly undo: () => void
}

/** A transaction of a `MemoryDatabase`. */
export class MemoryTransaction {
  readonly id: number
  /** Milliseconds of the database's clock. */
  readonly startedAt: number
  /** For a snapshot transaction: how many commits it sees. */
  readonly snapshot: number | null
  /** Of who reads here, and sees what the server shows to readers. */
  readonly isReader: boolean
  /** A statement has failed: until a savepoint is rolled back to, nothing but a rollback is taken. */
  failed = false
  open = true
  readonly ended: Promise<void>
  readonly #marks = new Map<string, number>()
  #done: Done[] = []
  #end: () => void = () => {}

  constructor(id: number, startedAt: number, snapshot: number | null, isReader = false) {
    this.id = id
    this.startedAt = startedAt
    this.snapshot = snapshot
    this.isReader = isReader
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  get changes(): readonly Change[] {
    return this.#done
  }

  record(change: Done): void {
    this.#done.push(change)
  }

  mark(name: string): void {
    this.#marks.set(name, this.#done.length)
  }

  undoTo(name: string | null): void {
    const length = name === null ? 0 : (this.#marks.get(name) ?? 0)
    for (const { undo } of this.#done.slice(length).reverse()) undo()
    this.#done = this.#done.slice(0, length)
    this.failed = false
  }

  close(): void {
    this.open = false
    this.#end()
  }
}
