import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'

const PART_BYTES = 8 * 1024 * 1024
const PARTS_AT_ONCE = 3
/** What the client gives each part. S3 refuses parts with a checksum of which the upload has not said so. */
const ChecksumAlgorithm = 'CRC32'

interface Target {
  readonly Bucket: string
  readonly Key: string
}

/** Joins chunks to parts of 8 MiB, the last one smaller. */
async function* partsOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pending: Buffer[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    pending.push(chunk)
    bytes += chunk.length
    if (bytes < PART_BYTES) continue
    yield Buffer.concat(pending, bytes)
    pending = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(pending, bytes)
}

/** One multipart upload; a part that fails stops the others. */
class Upload {
  readonly #client: S3Client
  readonly #target: Target
  readonly #uploadId: string
  readonly #signal: AbortSignal
  readonly #failure = new AbortController()
  readonly #running = new Set<Promise<void>>()
  readonly #parts: CompletedPart[] = []
  #count = 0

  constructor(client: S3Client, target: Target, uploadId: string, signal: AbortSignal | undefined) {
    this.#client = client
    this.#target = target
    this.#uploadId = uploadId
    this.#signal = signal ? AbortSignal.any([signal, this.#failure.signal]) : this.#failure.signal
  }

  /** Starts a part once fewer than three are on their way. */
  async add(body: Buffer): Promise<void> {
    while (this.#running.size >= PARTS_AT_ONCE) await Promise.race(this.#running)
    this.#signal.throwIfAborted()
    this.#count += 1
    const sending = this.#send(this.#count, body)
      .catch((error) => this.#failure.abort(error))
      .finally(() => this.#running.delete(sending))
    this.#running.add(sending)
  }

  async complete(): Promise<void> {
    await Promise.all(this.#running)
    this.#signal.throwIfAborted()
    const parts = this.#parts.toSorted((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0))
    await this.#client.send(
      new CompleteMultipartUploadCommand({
        ...this.#target,
        UploadId: this.#uploadId,
        MultipartUpload: { Parts: parts },
      }),
      { abortSignal: this.#signal },
    )
  }

  /** Throws its parts away. */
  async abort(): Promise<void> {
    this.#failure.abort()
    await Promise.all(this.#running)
    await this.#client.send(new AbortMultipartUploadCommand({ ...this.#target, UploadId: this.#uploadId }))
  }

  async #send(number: number, body: Buffer): Promise<void> {
    const part = await this.#client.send(
      new UploadPartCommand({
        ...this.#target,
        UploadId: this.#uploadId,
        PartNumber: number,
        Body: body,
        ChecksumAlgorithm,
      }),
      { abortSignal: this.#signal },
    )
    const { $metadata: _, ServerSideEncryption: __, SSEKMSKeyId: ___, ...checks } = part
    this.#parts.push({ ...checks, PartNumber: number })
  }
}

/**
 * Uploads chunks as one object in bounded memory: at once when they fit into one part (8 MiB), else by a multipart
 * upload that is aborted on any failure. `lib-storage` is not used since its abort rejects before it has cleaned up.
 */
export async function uploadChunks(
  client: S3Client,
  target: Target,
  chunks: AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const options = signal ? { abortSignal: signal } : {}
  let first: Buffer | undefined
  let upload: Upload | undefined
  try {
    for await (const part of partsOf(chunks)) {
      if (first === undefined) {
        first = part
        continue
      }
      if (upload === undefined) {
        const { UploadId } = await client.send(
          new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm }),
          options,
        )
        upload = new Upload(client, target, UploadId ?? '', signal)
        await upload.add(first)
      }
      await upload.add(part)
    }
    if (upload) await upload.complete()
    else await client.send(new PutObjectCommand({ ...target, Body: first ?? Buffer.alloc(0) }), options)
  } catch (error) {
    // What cannot be aborted now, the bucket's rule for unfinished uploads removes later.
    await upload?.abort().catch(() => {})
    throw error
  }
}
