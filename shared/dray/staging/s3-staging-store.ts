import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { StagedObjectMissing, TerminalError, TransientError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { attemptKey, checkedKey, checkedPrefix, isAttempt } from './keys.ts'
import { uploadChunks } from './multipart-upload.ts'
import { StagedBytes } from './staged-bytes.ts'
import { openStaged } from './staged-content.ts'
import type { Block, StagedContent, StagedHeader, StagingOptions, StagingStore } from './staging-store.ts'

export interface S3StagingOptions {
  readonly bucket: string
  /** Where in the bucket the store's root is; empty for the bucket itself. */
  readonly prefix?: string
  readonly client?: S3Client
}

/** A client for this process: credentials, region and endpoint as the environment says. */
export function createS3Client(): S3Client {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env
  const config: S3ClientConfig = {
    forcePathStyle: Boolean(AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL),
    // Who reads knows how long the object is; staging compares its own SHA-256.
    responseChecksumValidation: 'WHEN_REQUIRED',
    // No idle timeout for bodies: a reader may pause while a database merges; its signal bounds the whole.
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 60_000, throwOnRequestTimeout: true },
  }
  return new S3Client(config)
}

function statusOf(error: unknown): number {
  const { $metadata } = (error ?? {}) as { $metadata?: { httpStatusCode?: number } }
  return $metadata?.httpStatusCode ?? 0
}

const THROTTLED = new Set([408, 429])

const FORBIDDEN = 403

/** Staging in S3: `s3://bucket/prefix/key`. */
export class S3StagingStore implements StagingStore {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #root: string

  constructor(options: S3StagingOptions) {
    this.#client = options.client ?? createS3Client()
    this.#bucket = options.bucket
    const prefix = checkedPrefix(options.prefix ?? '')
    this.#root = prefix === '' ? '' : `${prefix}/`
  }

  async write(
    prefix: string,
    header: StagedHeader,
    blocks: AsyncIterable<Block> | Iterable<Block>,
    options: StagingOptions = {},
  ): Promise<StagedObject> {
    const key = attemptKey(prefix)
    const bytes = new StagedBytes()
    const source = new Source(bytes.of(header, blocks, options.signal))
    try {
      await uploadChunks(this.#client, this.#target(key), source, options.signal)
    } catch (error) {
      throw source.failure === undefined ? this.#explained(error, key, options.signal) : error
    }
    return bytes.object(key)
  }

  async read(object: StagedObject, options: StagingOptions = {}): Promise<StagedContent> {
    const key = checkedKey(object.key)
    return openStaged(this.#chunks(key, options.signal), object, this.locate(key))
  }

  async open(key: string, options: StagingOptions = {}): Promise<StagedContent> {
    return openStaged(this.#chunks(checkedKey(key), options.signal), null, this.locate(key))
  }

  async list(prefix: string, options: StagingOptions = {}): Promise<string[]> {
    const folder = checkedPrefix(prefix)
    try {
      const keys = await this.#keys(folder === '' ? '' : `${folder}/`, options)
      if (keys.length === 0 && isAttempt(folder)) keys.push(...(await this.#exact(folder, options)))
      return keys.sort()
    } catch (error) {
      throw this.#explained(error, prefix, options.signal)
    }
  }

  async remove(key: string, options: StagingOptions = {}): Promise<void> {
    try {
      await this.#client.send(new DeleteObjectCommand(this.#target(checkedKey(key))), abortable(options))
    } catch (error) {
      throw this.#explained(error, key, options.signal)
    }
  }

  locate(prefix: string): string {
    return `s3://${this.#bucket}/${this.#root}${checkedPrefix(prefix)}`
  }

  #target(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#root + key }
  }

  async *#chunks(key: string, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
    try {
      const { Body } = await this.#client.send(new GetObjectCommand(this.#target(key)), { ...abortable({ signal }) })
      for await (const chunk of Body as AsyncIterable<Buffer>) {
        signal?.throwIfAborted()
        yield chunk
      }
    } catch (error) {
      if (!signal?.aborted && (await this.#isMissing(error, key, signal)))
        throw new StagedObjectMissing(this.locate(key), { cause: error })
      throw this.#explained(error, key, signal)
    }
  }

  /**
   * To a role that may list by some prefixes alone S3 says of an object that is missing that it may not be read:
   * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
   */
  async #isMissing(error: unknown, key: string, signal: AbortSignal | undefined): Promise<boolean> {
    if ((error as Error).name === 'NoSuchKey') return true
    if (statusOf(error) !== FORBIDDEN) return false
    try {
      return (await this.#exact(key, signal === undefined ? {} : { signal })).length === 0
    } catch {
      return false
    }
  }

  async #keys(prefix: string, options: StagingOptions): Promise<string[]> {
    const keys: string[] = []
    let token: string | undefined
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#root + prefix, ContinuationToken: token }),
        abortable(options),
      )
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key.slice(this.#root.length))
      token = page.NextContinuationToken
    } while (token !== undefined)
    return keys
  }

  /** A key sorts before all that it is a prefix of, so the first one tells whether it is there. */
  async #exact(key: string, options: StagingOptions): Promise<string[]> {
    const page = await this.#client.send(
      new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#root + key, MaxKeys: 1 }),
      abortable(options),
    )
    return page.Contents?.[0]?.Key === this.#root + key ? [key] : []
  }

  #explained(error: unknown, key: string, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted) return signal.reason
    const { name, message } = error as Error
    const where = this.locate(key)
    const status = statusOf(error)
    if (name === 'CredentialsProviderError' || (status >= 400 && status < 500 && !THROTTLED.has(status))) {
      return new TerminalError(
        `S3 refused ${where}: ${name}: ${message}. Check that the bucket exists and that the role may use it.`,
        { cause: error },
      )
    }
    return new TransientError(`S3 did not finish a request for ${where}: ${message}. A retry may succeed.`, {
      cause: error,
    })
  }
}

function abortable(options: { signal?: AbortSignal | undefined }): { abortSignal?: AbortSignal } {
  return options.signal ? { abortSignal: options.signal } : {}
}

/** Tells a failure of the source of the bytes from one of the upload. */
class Source {
  failure: unknown
  readonly #chunks: AsyncIterable<Buffer>

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      yield* this.#chunks
    } catch (error) {
      this.failure = error
      throw error
    }
  }
}
