import type { StagedObject } from '#dray/messages/staged-object.ts'

/** Whole rows of PostgreSQL COPY text (one line a row), or whole lines of a document. */
export interface Block {
  readonly bytes: Buffer
  readonly rows: number
}

/** What a staged object holds, written as its first line beside the version of its format. */
export interface StagedHeader {
  /** A `json-array` has no such line: Step Functions reads it, which knows of none. */
  readonly format: 'copy-text' | 'json' | 'json-lines' | 'json-array'
  /** Column names in the order of the fields of each row; for `copy-text` only. */
  readonly columns?: readonly string[]
}

export interface StagedContent {
  readonly header: StagedHeader
  /**
   * The body in the order written, in blocks of whole rows. Throws `StagedObjectDamaged` at the end (before it ends
   * normally) when rows, bytes or checksum differ from the reference: nothing read from it may be committed before.
   */
  readonly blocks: AsyncIterable<Block>
}

export interface StagingOptions {
  readonly signal?: AbortSignal
}

export interface ReadingOptions extends StagingOptions {
  /**
   * A block is the reader's only until it asks for the next: a store may use its memory again, which saves most of the
   * memory of a step.
   */
  readonly areBlocksLent?: boolean
}

/** Where batches, plans and quarantined rows lie between steps: a folder or an S3 bucket. */
export interface StagingStore {
  /**
   * Writes one object under `prefix` with an attempt-unique name; it becomes visible whole or not at all.
   * Blocks are not copied: their memory must not be used again.
   */
  write(
    prefix: string,
    header: StagedHeader,
    blocks: AsyncIterable<Block> | Iterable<Block>,
    options?: StagingOptions,
  ): Promise<StagedObject>
  /**
   * Opens an object; throws `StagedObjectMissing` when it is not there. Its blocks are to be read, to the end or not:
   * an object in S3 keeps a connection until then.
   */
  read(object: StagedObject, options?: ReadingOptions): Promise<StagedContent>
  /**
   * Opens an object of which only the key is known: that its rows are whole is all that can be checked. For a person
   * who looks, and for records that stand on their own; a step of a run reads by reference.
   */
  open(key: string, options?: StagingOptions): Promise<StagedContent>
  /** Keys under `prefix` (a folder or one key; empty: all), sorted. */
  list(prefix: string, options?: StagingOptions): Promise<string[]>
  /** Removes an object for good; one that is not there is no fault. No step of a run does. */
  remove(key: string, options?: StagingOptions): Promise<void>
  /** For a person: where the objects under `prefix` are (a path or an s3:// URL). */
  locate(prefix: string): string
}
