import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { readJsonArray } from 'dray/internal/staging/documents.ts'
import { placeOf, roots } from 'dray/internal/staging/keys.ts'
import { S3StagingStore } from 'dray/internal/staging/s3-staging-store.ts'
import { REGION } from './instance.ts'

/** What a resumed run needs of the run that made its plan. */
const RESUMED = ['plan', 'keys', 'open', 'passed']

/** Quarantined rows, findings and plans are needed after the run; batches are not. */
function outlivesRun(key: string): boolean {
  const { root, part } = placeOf(key)
  return root !== null && (root !== roots.runs || RESUMED.includes(part ?? ''))
}
const PARTIAL = '.partial'

/**
 * Copies what outlives a run out of the S3 in memory into the folder where the other verbs look for it, and back for a
 * run that needs it.
 */
export class KeptObjects {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #folder: string
  readonly #kept = new Set<string>()
  #turn: Promise<void> = Promise.resolve()

  constructor(options: {
    readonly endpoint: string
    /** The id of the access key that it asks for. */
    readonly token: string
    readonly bucket: string
    readonly folder: string
  }) {
    this.#bucket = options.bucket
    this.#folder = options.folder
    this.#client = new S3Client({
      endpoint: options.endpoint,
      region: REGION,
      forcePathStyle: true,
      credentials: { accessKeyId: options.token, secretAccessKey: 'isolated' },
    })
  }

  /**
   * Copies what has been written since the last call; objects never change. Calls at the same time wait for each other.
   */
  keep(): Promise<void> {
    const turn = this.#turn.then(() => this.#copyAll())
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /** Puts into the bucket what earlier runs have left in the folder. */
  async restore(): Promise<void> {
    const files = await readdir(this.#folder, { recursive: true, withFileTypes: true }).catch(ifMissing)
    for (const file of files) {
      const path = join(file.parentPath, file.name)
      const key = relative(this.#folder, path)
      if (!file.isFile() || key.endsWith(PARTIAL) || !outlivesRun(key)) continue
      await this.#client.send(new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: await readFile(path) }))
      this.#kept.add(key)
    }
  }

  async #copyAll(): Promise<void> {
    let token: string | undefined
    do {
      const page = await this.#client.send(new ListObjectsV2Command({ Bucket: this.#bucket, ContinuationToken: token }))
      const keys = (page.Contents ?? []).map(({ Key = '' }) => Key)
      for (const key of keys.filter((one) => outlivesRun(one) && !this.#kept.has(one))) await this.#copy(key)
      token = page.NextContinuationToken
    } while (token !== undefined)
  }

  /** The items of a Distributed Map. */
  readItems({ key }: { readonly key: string }): Promise<unknown> {
    return readJsonArray(new S3StagingStore({ bucket: this.#bucket, client: this.#client }), key)
  }

  close(): void {
    this.#client.destroy()
  }

  async #copy(key: string): Promise<void> {
    const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }))
    const path = join(this.#folder, key)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFile(`${path}${PARTIAL}`, (await Body?.transformToByteArray()) ?? '', { mode: 0o600 })
    await rename(`${path}${PARTIAL}`, path)
    this.#kept.add(key)
  }
}

/** Nothing has run yet. */
function ifMissing(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENOENT') return []
  throw error
}
