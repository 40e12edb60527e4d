import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { onEachEngine, openLane } from '#test/faults/kill/each-engine.ts'
import type { Engine } from '#test/faults/kill/engines.ts'
import type { Lane } from '#test/faults/kill/lane.ts'
import { landedRows, writeRows } from '#test/faults/kill/rows.ts'
import type { Server } from '#test/faults/kill/server.ts'
import { type Link, TcpProxy } from './tcp-proxy.ts'

/** Enough for several blocks of COPY in one partition. */
const ROWS = 4_000

const BULK = { postgres: 'FROM STDIN', mariadb: 'LOAD DATA LOCAL' } as const

interface Faulty {
  readonly lane: Lane
  readonly proxy: TcpProxy
  readonly stamp: string
}

async function faultyLane(
  t: TestContext,
  engine: Engine,
  server: Server,
  proxied: 'source' | 'target' = 'target',
): Promise<Faulty> {
  let proxy: TcpProxy | undefined
  const lane = await openLane(t, engine, server, {
    shape: { partitionRows: ROWS * 2 },
    proxied,
    proxy: async (context, url) => {
      proxy = await TcpProxy.start(url)
      context.after(() => proxy?.stop())
      return proxy.url
    },
  })
  const stamp = await writeRows(lane.source, { from: 1, to: ROWS }, 1)
  return { lane, proxy: proxy as TcpProxy, stamp }
}

/** Does something once, at the second chunk that a client sends after it has begun to send rows in bulk. */
function midCopy(engine: Engine, proxy: TcpProxy, fault: (link: Link) => void): { readonly seen: () => number } {
  let seen = 0
  const chunks = new Map<Link, number>()
  proxy.onRequest = (chunk, link) => {
    if (chunk.includes(BULK[engine])) {
      seen += 1
      if (seen === 1) chunks.set(link, 0)
    } else if (chunks.has(link)) {
      const count = (chunks.get(link) ?? 0) + 1
      chunks.set(link, count)
      if (count !== 2) return
      chunks.clear()
      fault(link)
    }
  }
  return { seen: () => seen }
}

onEachEngine('a connection that breaks while rows are sent in bulk', async (t, engine, server) => {
  await t.test('is reset: no row is visible, the retry loads all', async (t) => {
    const { lane, proxy, stamp } = await faultyLane(t, engine, server)
    const { seen } = midCopy(engine, proxy, (link) => link.reset())
    const visible: number[] = []

    const { status, retries } = await lane.run({
      async before(step) {
        if (step === 'ItemsLoad') visible.push((await landedRows(lane.target)).size)
      },
    })

    assert.equal(status, 'SUCCEEDED')
    assert.deepEqual(retries, ['Transient'])
    assert.deepEqual(visible, [0, 0])
    assert.ok(seen() >= 2)
    await lane.recover(stamp)
    await lane.check()
  })

  await t.test('falls silent: the deadline ends the load, and the server its session', async (t) => {
    const { lane, proxy, stamp } = await faultyLane(t, engine, server)
    const deadline = new AbortController()
    const sessions: (readonly string[])[] = [[...(await lane.sessions())]]
    midCopy(engine, proxy, async (link) => {
      link.silence()
      sessions.push([...(await lane.sessions())])
      deadline.abort(Object.assign(new Error('the deadline has passed'), { name: 'TimeoutError' }))
    })
    const loads: number[] = []

    const { status, retries, reasons } = await lane.run({
      before: (step) => void (step === 'ItemsLoad' && loads.push(performance.now())),
      deadlineOf: (step) => (step === 'ItemsLoad' && loads.length === 1 ? deadline.signal : undefined),
    })

    assert.equal(status, 'SUCCEEDED', reasons.join())
    assert.deepEqual(retries, ['Transient'])
    const stuck = sessions[1]?.filter((session) => !sessions[0]?.includes(session)) ?? []
    assert.ok(stuck.length > 0)
    await Promise.all([lane.pipeline.source.close(), lane.pipeline.target.close()])
    await lane.untilGone(stuck)
    await lane.recover(stamp)
    await lane.check()
  })

  await t.test('loses the reply to COMMIT: the ledger settles it, and no row is sent again', async (t) => {
    const { lane, proxy, stamp } = await faultyLane(t, engine, server)
    let lost = 0
    let bulksAfter = 0
    let isClosing = false
    proxy.onRequest = (chunk, link) => {
      // Commit, which asks for the whole ledger of the run, holds keys and tries refused rows again.
      isClosing ||= lost > 0 && /from .dray_ledger. where(?!.*partition_number. = )/is.test(chunk.toString('latin1'))
      if (lost > 0 && !isClosing && chunk.includes(BULK[engine])) bulksAfter += 1
      if (lost === 0 && chunk.includes('COMMIT') && /insert into .dray_ledger/i.test(link.sent.toString('latin1'))) {
        lost += 1
        link.loseReply()
      }
    }

    const { status, retries } = await lane.run()

    assert.equal(status, 'SUCCEEDED')
    assert.equal(lost, 1)
    assert.deepEqual(retries, ['Transient'])
    assert.equal(bulksAfter, 0)
    const landed = await landedRows(lane.target)
    const entered = await lane.target.run('select count(*), sum(inserted), sum(unchanged) from dray_ledger')
    assert.deepEqual(entered, [['1', String(landed.size), '0']])
    await lane.recover(stamp)
    await lane.check()
  })
})

const BEGIN = { postgres: 'BEGIN ISOLATION LEVEL READ COMMITTED', mariadb: 'START TRANSACTION READ WRITE' } as const
const FENCE = /dray_fence.*(?:for share|lock in share mode)/is
const isLedgered = ({ sent }: Link) => /insert into .dray_ledger/i.test(sent.toString('latin1'))

/** A statement of a few bytes, at which the line goes dead in one way. */
interface DeadStatement {
  readonly name: string
  /** The handler that meets it; Load unless told. */
  readonly step?: 'DrayPlan' | 'ItemsExtract'
  readonly matches: (chunk: Buffer, link: Link, engine: Engine) => boolean
  readonly fault: (link: Link) => void
  /** Whether the server has nothing to do for the session then, and it holds nothing. */
  readonly isIdle: boolean
}

const deadStatements: readonly DeadStatement[] = [
  {
    name: 'the fence that Plan raises, whose reply does not come',
    step: 'DrayPlan',
    matches: (chunk) => /dray_fence.*for update/is.test(chunk.toString('latin1')),
    fault: (link) => link.mute(),
    isIdle: false,
  },
  {
    name: 'the reading of the rows, which do not come',
    step: 'ItemsExtract',
    matches: (chunk) => /select.*changed_at.*from .item. /is.test(chunk.toString('latin1')),
    fault: (link) => link.mute(),
    isIdle: false,
  },
  {
    name: 'BEGIN',
    matches: (chunk, _, engine) => chunk.includes(BEGIN[engine]),
    fault: (link) => link.silence(),
    isIdle: true,
  },
  {
    name: 'the fence',
    matches: (chunk) => FENCE.test(chunk.toString('latin1')),
    fault: (link) => link.silence(),
    isIdle: false,
  },
  {
    name: 'the fence, whose reply does not come',
    matches: (chunk) => FENCE.test(chunk.toString('latin1')),
    fault: (link) => link.mute(),
    isIdle: false,
  },
  {
    name: 'COMMIT',
    matches: (chunk, link) => chunk.includes('COMMIT') && isLedgered(link),
    fault: (link) => link.silence(),
    isIdle: false,
  },
  {
    name: 'COMMIT, whose reply does not come',
    matches: (chunk, link) => chunk.includes('COMMIT') && isLedgered(link),
    fault: (link) => link.mute(),
    isIdle: true,
  },
]

onEachEngine('a line that goes dead at a statement of a few bytes', async (t, engine, server) => {
  for (const { name, step = 'ItemsLoad', matches, fault, isIdle } of deadStatements) {
    await t.test(`${name}: the deadline ends it, the server its session, and the retry does the rest`, async (t) => {
      const side = step === 'ItemsExtract' ? 'source' : 'target'
      const { lane, proxy, stamp } = await faultyLane(t, engine, server, side)
      const deadline = new AbortController()
      const before = await lane.sessions()
      let isMet = false
      let during: Promise<ReadonlySet<string>> | null = null
      proxy.onRequest = (chunk, link) => {
        if (!isMet || during !== null || !matches(chunk, link, engine)) return
        fault(link)
        during = lane.sessions()
        deadline.abort(Object.assign(new Error('the deadline has passed'), { name: 'TimeoutError' }))
      }
      let tries = 0

      const { status, retries, reasons } = await lane.run({
        before(called) {
          isMet = called === step
          if (isMet) tries += 1
        },
        deadlineOf: (called) => (called === step && tries === 1 ? deadline.signal : undefined),
      })

      assert.equal(status, 'SUCCEEDED', reasons.join())
      assert.deepEqual(retries, ['Transient'])
      const stuck = [...((await during) ?? [])].filter((session) => !before.has(session))
      assert.ok(stuck.length > 0)
      await Promise.all([lane.pipeline.source.close(), lane.pipeline.target.close()])
      // A session of PostgreSQL's that holds nothing is left to TCP: behind a pooler its number may be another one's.
      if (engine !== 'postgres' || !isIdle) await lane.untilGone(stuck)
      assert.deepEqual(await lane.target.run('select count(*) from dray_ledger'), [['1']])
      await lane.recover(stamp)
      await lane.check()
    })
  }
})
