import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import type { RunEvent } from 'dray/internal/lineage/run-event.ts'
import { sinkOf } from 'dray/internal/lineage/settings.ts'
import fc from 'fast-check'
import { assertSentence, cases, unlessRefused } from './refusals.ts'

const KEY = 'quokka-key'
/** One server answers many events at a time: a pause before the second try is most of a case. */
const AT_ONCE = 50

let server: Server
let url = ''
const answers = new Map<string, Buffer>()
before(async () => {
  server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
})
after(() => server.close())

function answer(socket: Socket): void {
  socket.on('error', () => {})
  socket.once('data', (request) => {
    const id = /^POST \/(\d+)\//.exec(request.toString('latin1'))?.[1] ?? ''
    socket.end(answers.get(id) ?? Buffer.alloc(0))
  })
}

const hostile = fc.string({ unit: 'binary', maxLength: 30 })
const status = fc.oneof(fc.integer({ min: 100, max: 599 }), fc.constantFrom(200, 201, 204, 301, 307, 401, 429, 500))
const header = fc.oneof(
  fc.constantFrom('Content-Length: 5', 'Content-Length: -1', 'Content-Length: 999999', 'Transfer-Encoding: chunked'),
  fc.constantFrom(
    'Content-Encoding: gzip',
    'Location: http://127.0.0.1:1/',
    'Location: ::',
    'Set-Cookie: a=b',
    'Connection: close',
  ),
  fc.tuple(hostile, hostile).map(([name, value]) => `${name}: ${value}`),
)
const body = fc.oneof(
  hostile,
  fc.integer({ min: 1, max: 200_000 }).map((length) => '\u001b[2Jx'.repeat(length / 5)),
)
const response = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(status, fc.array(header, { maxLength: 4 }), body)
      .map(([status, headers, text]) =>
        Buffer.from(`HTTP/1.1 ${status} x\r\n${headers.map((one) => `${one}\r\n`).join('')}\r\n${text}`),
      ),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)) },
)

test('an event of lineage is taken, or its loss is told in a sentence, whatever the server answers', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(response, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (responses) => {
      const sent = responses.map(async (bytes, id) => {
        answers.set(String(id), bytes)
        const sink = sinkOf({ namespace: 'n', url: `${url}/${id}`, endpoint: 'lineage', key: KEY })
        assert.ok(sink)
        await sink.send({} as RunEvent).catch(({ message }: Error) => assertSentence(message, [KEY]))
      })
      await Promise.all(sent)
    }),
    cases(1 / AT_ONCE),
  )
})

test('a place for lineage is one, or refused without its password', async () => {
  const place = fc
    .tuple(fc.constantFrom('http://', 'https://', 'file://', 'file:///', 'console:', 'ftp://', ''), hostile, hostile)
    .map(([scheme, host, path]) => `${scheme}me:${KEY}@${host}/${path}`)

  await fc.assert(
    fc.asyncProperty(place, async (one) => {
      const sink = await unlessRefused(() => sinkOf({ namespace: 'n', url: one, endpoint: 'api', key: null }), [KEY])
      if (one.startsWith('http')) assert.ok(!sink?.place.includes(KEY))
    }),
    cases(),
  )
})
