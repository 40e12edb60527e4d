import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, decimal, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { datasetOf } from 'dray/internal/lineage/datasets.ts'
import { DRAY_VERSION, runEvent } from 'dray/internal/lineage/run-event.ts'
import { lineageSettings, sinkOf } from 'dray/internal/lineage/settings.ts'
import { lineageEvent } from './event-schema.ts'
import { type LineageServer, startLineageServer } from './lineage-server.ts'

const run = { id: 'run-1', workflow: 'daily', started_at: '2026-01-02T03:04:05Z', trigger: 'schedule' }
const at = Date.parse('2026-01-02T03:04:06.789Z')
const subject = { namespace: 'dray-test', run, step: 'orders' }

const lake = database('lineage-lake')
class Order extends lake.source('orders', {
  id: bigint().primaryKey(),
  orderedAt: timestamp(),
  amount: decimal(12, 2),
  note: varchar(20).nullable(),
}) {}
class Qualified extends lake.source('audit.orders', { id: bigint().primaryKey() }) {}

describe('an event of lineage', () => {
  test('is what the specification asks for, with the workflow as the parent of a step', () => {
    const workflow = runEvent('START', { ...subject, step: null }, { at })
    const step = runEvent('FAIL', subject, { at, error: 'Terminal: no' })

    assert.deepEqual(
      [workflow, step].map((event) => lineageEvent.safeParse(event).error?.message),
      [undefined, undefined],
    )
    assert.deepEqual([step.job.name, step.run.facets.parent?.run], ['daily.orders', { runId: workflow.run.runId }])
    assert.equal(step.run.facets.errorMessage?.message, 'Terminal: no')
    assert.equal(workflow.run.facets.parent, undefined)
  })

  test('has the same ids each time, and others for another step, run or environment', () => {
    const others = [
      { ...subject, step: null },
      { ...subject, step: 'customers' },
      { ...subject, run: { ...run, id: 'run-2' } },
      { ...subject, namespace: 'dray-prod' },
    ]
    const idOf = (one: typeof subject | (typeof others)[number]) => runEvent('START', one, { at }).run.runId

    assert.equal(idOf(subject), runEvent('COMPLETE', subject, { at: at + 1 }).run.runId)
    assert.equal(new Set([subject, ...others].map(idOf)).size, 5)
    assert.equal(idOf(subject)[14], '5')
  })

  test('names the version of the package', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8'))

    assert.equal(DRAY_VERSION, version)
  })
})

describe('a dataset', () => {
  const variable = urlVariable('lineage-lake')
  const named = (url: string, model: Parameters<typeof datasetOf>[0] = Order) => {
    const dataset = datasetOf(model, { [variable]: url })
    return dataset && [dataset.namespace, dataset.name]
  }

  test('is named by host, port, database, schema and table', () => {
    assert.deepEqual(named('postgres://me:secret@db.example.com/lake'), [
      'postgres://db.example.com:5432',
      'lake.public.orders',
    ])
    assert.deepEqual(named('postgresql://me@db:6432/my%20lake?sslmode=disable', Qualified), [
      'postgres://db:6432',
      'my lake.audit.orders',
    ])
    assert.deepEqual(named('mysql://me:a%40b@db.example.com/lake'), ['mysql://db.example.com:3306', 'lake.orders'])
    assert.deepEqual(named('mariadb://me@[::1]:80/lake'), ['mysql://[::1]:80', 'lake.orders'])
    assert.deepEqual(named('postgres://me@/lake?host=/run/postgres&port=5433'), [
      'postgres://localhost:5433',
      'lake.public.orders',
    ])
    assert.deepEqual(named('sqlite:/data/lake.db?mode=ro'), ['sqlite:/data/lake.db', 'orders'])
  })

  test('is none for a function that does not know where the database is', () => {
    assert.equal(named(''), null)
    assert.equal(datasetOf(Order, {}), null)
  })

  test('tells its columns as they are in the model, and nothing of who signs in', () => {
    const dataset = datasetOf(Order, { [variable]: 'postgres://somebody:s3cr3t@db/lake?options=-cfoo%3Ds3cr3t' })

    assert.deepEqual(dataset?.facets.schema?.fields, [
      { name: 'id', type: 'bigint' },
      { name: 'ordered_at', type: 'timestamp' },
      { name: 'amount', type: 'decimal(12,2)' },
      { name: 'note', type: 'varchar(20)' },
    ])
    assert.doesNotMatch(JSON.stringify(dataset), /s3cr3t|somebody/)
  })
})

describe('a sink', () => {
  let server: LineageServer
  const event = runEvent('START', subject, { at })
  const sink = (variables: NodeJS.ProcessEnv) => {
    const settings = lineageSettings(variables)
    assert.ok(settings)
    const opened = sinkOf(settings)
    assert.ok(opened)
    return opened
  }
  before(async () => {
    server = await startLineageServer()
  })
  after(() => server.stop())
  afterEach(() => {
    server.answer = 201
    server.received.length = 0
  })

  test('by HTTP gets an event at the endpoint of its clients, with the key', async () => {
    await sink({ OPENLINEAGE_URL: server.url, OPENLINEAGE_API_KEY: 'k' }).send(event)
    await sink({ OPENLINEAGE_URL: `${server.url}/base/`, OPENLINEAGE_ENDPOINT: '/events' }).send(event)

    assert.deepEqual(
      server.received.map(({ path, headers, body }) => [path, headers.authorization, body]),
      [
        ['/api/v1/lineage', 'Bearer k', event],
        ['/base/events', undefined, event],
      ],
    )
  })

  for (const status of [201, 422]) {
    test(`by HTTP reads nothing of an answer that never ends but its status: ${status}`, async () => {
      const endless = createHttpServer((request, response) => {
        request.resume()
        response.writeHead(status, { 'content-length': 5_000_000_000 })
        const more = setInterval(() => response.write('c4nary '), 5)
        response.on('close', () => clearInterval(more))
      }).listen(0, '127.0.0.1')
      await once(endless, 'listening')
      const { port } = endless.address() as AddressInfo

      const told = await sink({ OPENLINEAGE_URL: `http://127.0.0.1:${port}` })
        .send(event)
        .catch((error: unknown) => error)

      // All have hung up.
      await new Promise((resolve) => endless.close(resolve))
      if (status === 201) assert.equal(told, undefined)
      else assert.match(inspect(told), /it answered 422/)
      assert.doesNotMatch(inspect(told), /c4nary/)
    })
  }

  test('by HTTP is sent the user and the password of its URL, and never names them', async () => {
    const url = server.url.replace('//', '//some%40one:se%3Acret@')
    const told = sink({ OPENLINEAGE_URL: url })
    await told.send(event)
    server.answer = 422
    const refused = (await told.send(event).catch((error: unknown) => error)) as Error
    const gone = await startLineageServer()
    await gone.stop()
    const unreached = sink({ OPENLINEAGE_URL: gone.url.replace('//', '//some%40one:se%3Acret@') })
    const failed = (await unreached.send(event).catch((error: unknown) => error)) as Error

    assert.equal(
      server.received[0]?.headers.authorization,
      `Basic ${Buffer.from('some@one:se:cret').toString('base64')}`,
    )
    assert.equal(told.place, `${server.url}/api/v1/lineage`)
    for (const said of [refused, failed].map((error) => inspect(error))) {
      assert.match(said, /it answered 422|ECONNREFUSED/)
      assert.doesNotMatch(said, /cret|some/)
    }
  })

  test('by HTTP is tried twice when it breaks, and once when it refuses', async () => {
    server.answer = 503
    await assert.rejects(sink({ OPENLINEAGE_URL: server.url }).send(event), /it answered 503/)
    server.answer = 422
    await assert.rejects(sink({ OPENLINEAGE_URL: server.url }).send(event), /it answered 422/)

    assert.equal(server.received.length, 3)
  })

  test('by HTTP that does not answer costs one deadline, and is left alone for a while', async () => {
    server.answer = null
    const silent = sink({ OPENLINEAGE_URL: server.url })

    await assert.rejects(silent.send(event), /did not answer within 1500 ms/)
    await assert.rejects(silent.send(event), /did not answer within 1500 ms/)

    assert.equal(server.received.length, 1)
  })

  test('by HTTP that is not there says why', async () => {
    const gone = await startLineageServer()
    await gone.stop()

    await assert.rejects(sink({ OPENLINEAGE_URL: gone.url }).send(event), /ECONNREFUSED/)
  })

  test('by HTTP ends no process, is not read to its end and is not followed, whatever it answers', async () => {
    const end = '\r\n\r\n'
    const answers: [answer: string, says: RegExp | null][] = [
      [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked${end}fffffff\r\n`, null],
      [`HTTP/1.1 307 Moved\r\nLocation: ${server.url}/elsewhere${end}`, /it answered 307/],
      [`HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade${end}`, /closed|ECONNRESET|socket/],
      ['SSH-2.0-somebody\r\n', /HPE_/],
      ['', /ECONNRESET|closed|socket/],
    ]
    for (const [answer, says] of answers) {
      const other = createServer((socket) => {
        socket.on('error', () => {}).once('data', () => (says === null ? socket.write(answer) : socket.end(answer)))
      }).listen(0, '127.0.0.1')
      await once(other, 'listening')
      const { port } = other.address() as AddressInfo

      const sent = sink({ OPENLINEAGE_URL: `http://127.0.0.1:${port}` }).send(event)

      await (says === null ? sent : assert.rejects(sent, says))
      other.close()
    }
    assert.deepEqual(server.received, [])
  })

  test('is a file with an event a line where the URL says so', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dray-lineage-'))
    const file = join(folder, 'events.jsonl')
    const to = sink({ OPENLINEAGE_URL: pathToFileURL(file).href })

    await to.send(event)
    await to.send(event)

    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      [event, event],
    )
    await rm(folder, { recursive: true })
  })

  test('is none without a URL, or when lineage is disabled', () => {
    assert.equal(lineageSettings({}), null)
    assert.equal(lineageSettings({ OPENLINEAGE_URL: server.url, OPENLINEAGE_DISABLED: 'True' }), null)
  })

  test('of another kind is refused', () => {
    assert.throws(() => sink({ OPENLINEAGE_URL: 'kafka://broker' }), { name: 'Configuration' })
  })
})
