import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { ConfigurationError, TerminalError, TransientError } from 'dray/internal/errors.ts'

/** The bytes of a file, once, from its beginning. */
export interface OpenSource {
  /** How many bytes there are, as said when it was opened. */
  readonly bytes: number
  /** Throws `Terminal` when fewer or more bytes come than there were. */
  readonly chunks: AsyncIterable<Buffer>
}

const S3_URL = /^s3:\/\/([^/]+)\/(.+)$/s
const GIVE_A_FILE = 'give the path of a CSV file, or s3://bucket/key'

/** Opens a file of this machine, or an object `s3://bucket/key`. Throws `Configuration` when it cannot be read. */
export function openSource(name: string, signal?: AbortSignal): Promise<OpenSource> {
  const [, bucket, key] = S3_URL.exec(name) ?? []
  if (bucket !== undefined && key !== undefined) return openObject(name, { Bucket: bucket, Key: key }, signal)
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(name)) {
    throw new ConfigurationError(`${name} is no place that is known, so nothing is imported; ${GIVE_A_FILE}.`)
  }
  return openFile(name)
}

/** The SHA-256 of all bytes of a source. */
export async function digestOf(name: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of (await openSource(name, signal)).chunks) hash.update(chunk)
  return hash.digest('hex')
}

async function openFile(name: string): Promise<OpenSource> {
  const file = await open(name).catch((error: NodeJS.ErrnoException) => {
    throw new ConfigurationError(`Cannot read ${name} (${error.code}), so nothing is imported; ${GIVE_A_FILE}.`)
  })
  const found = await file.stat()
  if (!found.isFile()) {
    await file.close()
    throw new ConfigurationError(`${name} is not a file, so nothing is imported; ${GIVE_A_FILE}.`)
  }
  // Taken from the open file, which a rename does not exchange.
  const stream = file.createReadStream({ highWaterMark: 1024 * 1024 })
  return { bytes: found.size, chunks: whole(name, found.size, stream as AsyncIterable<Buffer>) }
}

async function openObject(
  name: string,
  place: { readonly Bucket: string; readonly Key: string },
  signal: AbortSignal | undefined,
): Promise<OpenSource> {
  const { GetObjectCommand } = await import('@aws-sdk/client-s3')
  const { createS3Client } = await import('dray/internal/staging/s3-staging-store.ts')
  const client = createS3Client()
  const refuse = (error: unknown): never => {
    client.destroy()
    throw s3Error(name, error)
  }
  const { Body, ContentLength = 0 }: GetObjectCommandOutput = await client
    .send(new GetObjectCommand(place), signal === undefined ? {} : { abortSignal: signal })
    .catch(refuse)
  async function* chunks(): AsyncGenerator<Buffer> {
    try {
      yield* Body as AsyncIterable<Buffer>
    } catch (error) {
      throw s3Error(name, error)
    } finally {
      client.destroy()
    }
  }
  return { bytes: ContentLength, chunks: whole(name, ContentLength, chunks()) }
}

async function* whole(name: string, bytes: number, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let read = 0
  for await (const chunk of chunks) {
    read += chunk.length
    if (read > bytes) break
    yield chunk
  }
  if (read === bytes) return
  throw new TerminalError(
    `${name} had ${bytes} bytes when it was opened and ${read > bytes ? 'more' : `${read}`} when it was read, so nothing is imported; import it once it is written whole.`,
  )
}

function s3Error(name: string, error: unknown): Error {
  const { name: code, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } }
  if (code === 'AbortError') return error as Error
  const status = $metadata?.httpStatusCode ?? 0
  if (code === 'NoSuchKey' || code === 'NoSuchBucket' || code === 'NotFound') {
    return new ConfigurationError(`There is no ${name} (${code}), so nothing is imported; ${GIVE_A_FILE}.`, {
      cause: error,
    })
  }
  if (code === 'CredentialsProviderError' || (status >= 400 && status < 500)) {
    return new ConfigurationError(
      `S3 refused ${name} (${code}: ${message}), so nothing is imported; sign in with a role that may read it (s3:GetObject), and set AWS_REGION to the region of the bucket.`,
      { cause: error },
    )
  }
  return new TransientError(
    `S3 did not give ${name} to its end (${message}), so nothing is imported; import it again.`,
    {
      cause: error,
    },
  )
}
