import type { Dirent } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { StagedObjectMissing, TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { attemptKey, checkedKey, checkedPrefix } from './keys.ts'
import { StagedBytes } from './staged-bytes.ts'
import { openStaged } from './staged-content.ts'
import type {
  Block,
  ReadingOptions,
  StagedContent,
  StagedHeader,
  StagingOptions,
  StagingStore,
} from './staging-store.ts'

const CHUNK_BYTES = 256 * 1024
/** Before each chunk, for the start of its first row. */
const ROOM_BYTES = 16 * 1024
const FOLDER_MODE = 0o700
const FILE_MODE = 0o600
const PARTIAL = '.partial'
const UNWRITABLE = new Set(['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENAMETOOLONG'])
/** No object has such a name, or something else than an object has it. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG'])

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | null)?.code ?? ''
}

/** Where chunks are read into. */
interface Memory {
  next(): Buffer
}

/** Not from the pool, and never used again: a reader may keep its blocks. */
const freshMemory: Memory = { next: () => Buffer.allocUnsafeSlow(ROOM_BYTES + CHUNK_BYTES) }

/**
 * For a reader that is done with a block when it asks for the next: one chunk is worked on, one is read, one has the
 * start of a row.
 */
function lentMemory(): Memory {
  const chunks: Buffer[] = []
  let taken = 0
  return {
    next() {
      const place = taken++ % 3
      chunks[place] ??= freshMemory.next()
      return chunks[place]
    },
  }
}

async function readChunk(handle: FileHandle, position: number, memory: Memory): Promise<Buffer> {
  const bytes = memory.next()
  const { bytesRead } = await handle.read(bytes, ROOM_BYTES, CHUNK_BYTES, position)
  return bytes.subarray(ROOM_BYTES, ROOM_BYTES + bytesRead)
}

/** The chunks from `position` on; the next is read while the reader works on the last. */
async function* chunksFrom(
  handle: FileHandle,
  start: number,
  memory: Memory,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  let position = start
  let reading = readChunk(handle, position, memory)
  try {
    for (;;) {
      const chunk = await reading
      signal?.throwIfAborted()
      if (chunk.length === 0) return
      position += chunk.length
      reading = readChunk(handle, position, memory)
      reading.catch(() => {})
      yield chunk
    }
  } finally {
    await reading.catch(() => {})
  }
}

/** A file's chunks. The first has its own handle, so that an object that is only opened leaves no file open. */
async function* chunksOf(path: string, memory: Memory, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  signal?.throwIfAborted()
  const opened = await open(path)
  const first = await readChunk(opened, 0, memory).finally(() => opened.close())
  yield first
  if (first.length < CHUNK_BYTES) return
  const handle = await open(path)
  try {
    yield* chunksFrom(handle, first.length, memory, signal)
  } finally {
    await handle.close()
  }
}

async function* missingSaid(chunks: AsyncIterable<Buffer>, path: string): AsyncGenerator<Buffer> {
  try {
    yield* chunks
  } catch (error) {
    if (ABSENT.has(codeOf(error))) throw new StagedObjectMissing(path, { cause: error })
    throw error
  }
}

/** Writes chunks one after the other; the next is made while the last is written. */
async function writeAll(handle: FileHandle, chunks: AsyncIterable<Buffer>): Promise<void> {
  let writing = Promise.resolve()
  try {
    for await (const chunk of chunks) {
      await writing
      writing = handle.writeFile(chunk)
      writing.catch(() => {})
    }
  } finally {
    await writing
  }
}

/** A file of the folder. */
export interface StagedFile {
  readonly key: string
  readonly isPartial: boolean
  /** When something was last written to it, in ms since 1970. */
  readonly writtenAt: number
}

/** Staging in a folder: objects are files of mode 0600 in folders of mode 0700. */
export class FolderStagingStore implements StagingStore {
  readonly #root: string

  constructor(root: string) {
    this.#root = resolve(root)
  }

  async write(
    prefix: string,
    header: StagedHeader,
    blocks: AsyncIterable<Block> | Iterable<Block>,
    options: StagingOptions = {},
  ): Promise<StagedObject> {
    const key = attemptKey(prefix)
    const path = this.locate(key)
    const partial = join(dirname(path), `.${basename(path)}${PARTIAL}`)
    const bytes = new StagedBytes()
    try {
      await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE })
      const handle = await open(partial, 'wx', FILE_MODE)
      // Without fsync: after a power cut the checksum tells a file that did not reach the disk.
      await writeAll(handle, bytes.of(header, blocks, options.signal)).finally(() => handle.close())
      await rename(partial, path)
    } catch (error) {
      await rm(partial, { force: true }).catch(() => {})
      throw this.#explained(error)
    }
    return bytes.object(key)
  }

  async read(object: StagedObject, options: ReadingOptions = {}): Promise<StagedContent> {
    return this.#open(object.key, object, options)
  }

  async open(key: string, options: StagingOptions = {}): Promise<StagedContent> {
    return this.#open(key, null, options)
  }

  #open(key: string, object: StagedObject | null, options: ReadingOptions): Promise<StagedContent> {
    const path = this.locate(checkedKey(key))
    const isUsedAgain = options.areBlocksLent ?? false
    const chunks = chunksOf(path, isUsedAgain ? lentMemory() : freshMemory, options.signal)
    return openStaged(missingSaid(chunks, path), object, path, { room: ROOM_BYTES, isUsedAgain })
  }

  async list(prefix: string, options: StagingOptions = {}): Promise<string[]> {
    options.signal?.throwIfAborted()
    const keys: string[] = []
    const found = await stat(this.locate(checkedPrefix(prefix))).catch(() => null)
    if (found?.isFile()) keys.push(prefix)
    else if (found?.isDirectory()) await this.#collect(prefix, keys)
    return keys.sort()
  }

  async remove(key: string, options: StagingOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    const path = this.locate(checkedKey(key))
    await rm(path, { force: true })
    await this.#removeEmpty(dirname(path))
  }

  /**
   * Removes the objects that are not to be kept, and the folders that become empty by it. Of a half-written one the key
   * is the one that it would have had. Says how many.
   */
  async prune(isKept: (file: StagedFile) => Promise<boolean> | boolean): Promise<number> {
    const entries = await readdir(this.#root, { recursive: true, withFileTypes: true }).catch((): Dirent[] => [])
    const emptied = new Set<string>()
    let removed = 0
    for (const entry of entries) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      const isPartial = entry.name.startsWith('.') && entry.name.endsWith(PARTIAL)
      const name = isPartial ? entry.name.slice(1, -PARTIAL.length) : entry.name
      const key = relative(this.#root, join(entry.parentPath, name)).split(sep).join('/')
      const found = await stat(path).catch(() => null)
      if (found === null || (await isKept({ key, isPartial, writtenAt: found.mtimeMs }))) continue
      await rm(path, { force: true })
      emptied.add(entry.parentPath)
      removed += 1
    }
    for (const folder of emptied) await this.#removeEmpty(folder)
    return removed
  }

  async #removeEmpty(folder: string): Promise<void> {
    for (let path = folder; path !== this.#root; path = dirname(path)) {
      const isGone = await rmdir(path).then(
        () => true,
        () => false,
      )
      if (!isGone) return
    }
  }

  locate(prefix: string): string {
    return join(this.#root, checkedPrefix(prefix))
  }

  async #collect(folder: string, keys: string[]): Promise<void> {
    const entries = await readdir(join(this.#root, folder), { withFileTypes: true }).catch((): Dirent[] => [])
    for (const entry of entries) {
      const key = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) await this.#collect(key, keys)
      else if (entry.isFile() && !entry.name.endsWith(PARTIAL)) keys.push(key)
    }
  }

  #explained(error: unknown): unknown {
    if (!UNWRITABLE.has(codeOf(error))) return error
    return new TerminalError(
      `Staging in ${this.#root} failed: ${(error as Error).message}. Nothing of this object was kept. ` +
        'Free space or grant access there, then run again.',
      { cause: error },
    )
  }
}
