import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { S3StagingStore } from 'dray/internal/staging/s3-staging-store.ts'
import { createStagingStore } from 'dray/internal/staging/staging-url.ts'
import { type FauxqsServer, startFauxqs } from 'fauxqs'
import { stagingStoreContract } from '#test/contracts/staging-store.ts'

const Bucket = 'staging'
let server: FauxqsServer
let client: S3Client

function clientOf(port: number, options: { maxAttempts?: number } = {}): S3Client {
  return new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'eu-north-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    forcePathStyle: true,
    ...options,
  })
}

before(async () => {
  server = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false })
  server.createBucket(Bucket)
  client = clientOf(server.port)
})

after(async () => {
  client.destroy()
  await server.stop()
})

stagingStoreContract('S3StagingStore', () => {
  const inRoot = (key: string) => ({ Bucket, Key: `some/root/${key}` })
  return {
    store: new S3StagingStore({ bucket: Bucket, prefix: 'some/root', client }),
    bytesOf: async (key) => {
      const { Body } = await client.send(new GetObjectCommand(inRoot(key)))
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    },
    replace: async (key, bytes) => {
      await client.send(new PutObjectCommand({ ...inRoot(key), Body: bytes }))
    },
    drop: async (key) => {
      await client.send(new DeleteObjectCommand(inRoot(key)))
    },
    leftovers: async () => {
      const { Contents } = await client.send(new ListObjectsV2Command({ Bucket }))
      return (Contents ?? []).map(({ Key }) => Key ?? '')
    },
  }
})

/** A client of S3 behind a proxy that counts requests by kind and answers as `intercept` says. */
async function clientBehindProxy(
  t: TestContext,
  intercept: (kind: string, count: number) => 'pass' | 'fail' | 'cut' | 'forbid',
  maxAttempts = 1,
): Promise<{ client: S3Client; kinds: string[] }> {
  const kinds: string[] = []
  const proxy: Server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', `http://127.0.0.1:${server.port}`)
    const kind = `${request.method}${[...url.searchParams.keys()]
      .filter((key) => key !== 'x-id')
      .sort()
      .join(',')}`
    kinds.push(kind)
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      // The client gives up its other parts when one is not taken.
      return
    }
    const action = intercept(kind, kinds.filter((seen) => seen === kind).length)
    if (action === 'fail') return response.writeHead(503).end()
    if (action === 'forbid') return response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>')
    const headers = { ...request.headers } as Record<string, string>
    for (const name of ['connection', 'expect', 'content-length', 'transfer-encoding']) delete headers[name]
    const body = request.method === 'GET' ? null : Buffer.concat(chunks)
    const answer = await fetch(url, { method: request.method ?? 'GET', headers, body })
    const bytes = Buffer.from(await answer.arrayBuffer())
    const answerHeaders = Object.fromEntries(answer.headers)
    delete answerHeaders['transfer-encoding']
    delete answerHeaders.connection
    response.writeHead(answer.status, answerHeaders)
    if (action === 'cut') response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy())
    else response.end(bytes)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const behind = clientOf((proxy.address() as AddressInfo).port, { maxAttempts })
  t.after(async () => {
    behind.destroy()
    await new Promise<void>((resolve) => {
      proxy.close(() => resolve())
      proxy.closeAllConnections()
    })
  })
  return { client: behind, kinds }
}

const block = { bytes: Buffer.from(`${'x'.repeat(1_048_575)}\n`), rows: 1 }
const COPY = { format: 'copy-text', columns: ['text'] } as const

test('aborts the upload of an object whose part S3 does not take, and says that a retry may help', async (t) => {
  const proxy = await clientBehindProxy(t, (kind) => (kind === 'PUTpartNumber,uploadId' ? 'fail' : 'pass'))
  const store = new S3StagingStore({ bucket: Bucket, prefix: 'parts', client: proxy.client })

  await assert.rejects(store.write('run', COPY, Array(20).fill(block)), { name: 'Transient' })

  assert.ok(proxy.kinds.includes('DELETEuploadId'))
  assert.deepEqual(await store.list(''), [])
})

test('gets an object through although S3 fails once for each request', async (t) => {
  const proxy = await clientBehindProxy(t, (_, count) => (count === 1 ? 'fail' : 'pass'), 3)
  const store = new S3StagingStore({ bucket: Bucket, prefix: 'retried', client: proxy.client })

  const object = await store.write('run', COPY, Array(20).fill(block))
  let rows = 0
  for await (const read of (await store.read(object)).blocks) rows += read.rows

  assert.equal(rows, 20)
})

test('takes a connection lost in the middle of an object for transient, not for its end', async (t) => {
  const proxy = await clientBehindProxy(t, (kind) => (kind === 'GET' ? 'cut' : 'pass'))
  const store = new S3StagingStore({ bucket: Bucket, prefix: 'cut', client: proxy.client })
  const object = await store.write('run', COPY, Array(4).fill(block))

  const reading = (async () => {
    for await (const _ of (await store.read(object)).blocks);
  })()

  await assert.rejects(reading, { name: 'Transient' })
})

test('asks for a folder by the prefix that grants name, whether there is something in it or not', async (t) => {
  const asked: string[] = []
  const watched = clientOf(server.port)
  t.after(() => watched.destroy())
  watched.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        if (commandName === 'ListObjectsV2Command') asked.push((args.input as { Prefix: string }).Prefix)
        return next(args)
      },
    { step: 'initialize' },
  )
  const store = new S3StagingStore({ bucket: Bucket, client: watched })
  await store.write('quarantine/orders/run-1', COPY, [block])

  const found = [await store.list('quarantine/orders'), await store.list('quarantine/customers')]

  assert.deepEqual(
    found.map(({ length }) => length),
    [1, 0],
  )
  assert.deepEqual(asked, ['quarantine/orders/', 'quarantine/customers/'])
})

test('says of an upload in parts which checksums the parts will have, without which S3 refuses them', async (t) => {
  const watched = clientOf(server.port)
  t.after(() => watched.destroy())
  const sent: (readonly [string, string | undefined])[] = []
  watched.middlewareStack.add(
    (next, { commandName = '' }) =>
      (args) => {
        const { headers } = args.request as { readonly headers: Readonly<Record<string, string>> }
        const algorithms = Object.keys(headers).flatMap(
          (name) => /^x-amz-checksum-(crc\w+|sha\w+)$/.exec(name)?.[1] ?? [],
        )
        sent.push([commandName, headers['x-amz-checksum-algorithm'] ?? algorithms[0]?.toUpperCase()])
        return next(args)
      },
    { step: 'finalizeRequest', priority: 'low' },
  )

  await new S3StagingStore({ bucket: Bucket, client: watched }).write('run', COPY, Array(20).fill(block))

  const of = (command: string) => new Set(sent.flatMap(([name, algorithm]) => (name === command ? [algorithm] : [])))
  assert.deepEqual(of('UploadPartCommand'), new Set(['CRC32']))
  assert.deepEqual(of('CreateMultipartUploadCommand'), new Set(['CRC32']))
})

test('says which bucket is wrong', async () => {
  const store = new S3StagingStore({ bucket: 'no-such-bucket', client })

  await assert.rejects(store.write('run', COPY, [block]), { name: 'Terminal', message: /s3:\/\/no-such-bucket\/run/ })
  await assert.rejects(store.list('run'), { name: 'Terminal' })
})

test('is opened by its URL, with endpoint, region and credentials from the environment', async (t) => {
  const environment = {
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${server.port}`,
    AWS_REGION: 'eu-north-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  }
  const saved = { ...process.env }
  Object.assign(process.env, environment)
  t.after(() => {
    process.env = saved
  })

  const store = await createStagingStore(`s3://${Bucket}/by/url/`)
  const object = await store.write('run', COPY, [block])

  assert.equal(store.locate(object.key), `s3://${Bucket}/by/url/${object.key}`)
  assert.deepEqual(await store.list('run'), [object.key])
})

test('an object that may not be read is missing where a list says so, and refused else', async (t) => {
  const store = (client: S3Client) => new S3StagingStore({ bucket: Bucket, prefix: '', client })
  const object = await store(client).write('runs/forbidden', COPY, [block])
  const { client: reading } = await clientBehindProxy(t, (kind) => (kind === 'GET' ? 'forbid' : 'pass'))
  const { client: refused } = await clientBehindProxy(t, () => 'forbid')
  const read = async (client: S3Client) => {
    for await (const _ of (await store(client).read(object)).blocks);
  }

  await assert.rejects(read(reading), { name: 'Terminal', message: /S3 refused .*AccessDenied/ })
  await store(client).remove(object.key)
  await assert.rejects(read(reading), { name: 'StagedObjectMissing' })
  await assert.rejects(read(refused), { name: 'Terminal' })
})
