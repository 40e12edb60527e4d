import { StagedObjectMissing, TransientError } from 'dray/internal/errors.ts'
import type { StagedObject } from 'dray/internal/messages/staged-object.ts'
import { attemptKey, checkedKey, checkedPrefix } from 'dray/internal/staging/keys.ts'
import { StagedBytes } from 'dray/internal/staging/staged-bytes.ts'
import { openStaged } from 'dray/internal/staging/staged-content.ts'
import type {
  Block,
  StagedContent,
  StagedHeader,
  StagingOptions,
  StagingStore,
} from 'dray/internal/staging/staging-store.ts'
import { directly, type Io } from './io.ts'

const CHUNK_BYTES = 256 * 1024

/** Staging in memory: objects appear whole, and are read in several chunks. */
export class MemoryStagingStore implements StagingStore {
  readonly objects = new Map<string, Buffer>()
  readonly #io: Io
  /** Told of each object once it is there. */
  onWrite: (key: string, bytes: Buffer) => void = () => {}
  /** Told before an object is read: it may be damaged then. */
  beforeRead: (object: StagedObject) => void = () => {}

  constructor(io: Io = directly) {
    this.#io = io
  }

  async write(
    prefix: string,
    header: StagedHeader,
    blocks: AsyncIterable<Block> | Iterable<Block>,
    options: StagingOptions = {},
  ): Promise<StagedObject> {
    const key = attemptKey(prefix)
    const bytes = new StagedBytes()
    const chunks: Buffer[] = []
    for await (const chunk of bytes.of(header, blocks, options.signal)) chunks.push(Buffer.from(chunk))
    return this.#request(`write ${prefix}`, options, () => {
      const whole = Buffer.concat(chunks)
      this.objects.set(key, whole)
      this.onWrite(key, whole)
      return bytes.object(key)
    })
  }

  async read(object: StagedObject, options: StagingOptions = {}): Promise<StagedContent> {
    const key = checkedKey(object.key)
    await this.#request(`read ${key.split('/').slice(0, -1).join('/')}`, options, () => this.beforeRead(object))
    return openStaged(this.#chunks(key, options), object, this.locate(key))
  }

  async open(key: string, options: StagingOptions = {}): Promise<StagedContent> {
    return openStaged(this.#chunks(checkedKey(key), options), null, this.locate(key))
  }

  async *#chunks(key: string, options: StagingOptions): AsyncGenerator<Buffer> {
    const whole = this.objects.get(key)
    if (whole === undefined) throw new StagedObjectMissing(this.locate(key))
    const size = Math.min(CHUNK_BYTES, Math.max(1, Math.ceil(whole.length / 2)))
    for (let start = 0; start < whole.length; start += size) {
      yield await this.#request('read: a chunk', options, () => Buffer.from(whole.subarray(start, start + size)))
    }
  }

  async list(prefix: string, options: StagingOptions = {}): Promise<string[]> {
    const within = checkedPrefix(prefix)
    return this.#request(`list ${prefix}`, options, () =>
      [...this.objects.keys()].filter((key) => within === '' || key === within || key.startsWith(`${within}/`)).sort(),
    )
  }

  async remove(key: string, options: StagingOptions = {}): Promise<void> {
    await this.#request(`remove ${key}`, options, () => this.objects.delete(checkedKey(key)))
  }

  locate(prefix: string): string {
    return `memory:${checkedPrefix(prefix)}`
  }

  #request<T>(what: string, { signal }: StagingOptions, perform: () => T): Promise<T> {
    return this.#io(
      { name: `staging ${what}`, signal, fault: () => new TransientError('staging did not answer') },
      () => {
        signal?.throwIfAborted()
        return perform()
      },
    )
  }
}
