import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import type { ItemTable } from 'dray/internal/state/item-table.ts'
import { KeptEvents } from 'dray/internal/state/kept-events.ts'
import { SqliteItemTable } from 'dray/internal/state/local/sqlite-item-table.ts'
import { runExpiry } from 'dray/internal/state/run-expiry.ts'
import { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { TableWorkflowSlots } from 'dray/internal/state/table-workflow-slots.ts'
import { makePrivateFile } from 'dray-infra/internal/local/private-files.ts'
import { stateStoreContract } from '#test/contracts/state-store.ts'
import { mountSmallDisk } from '#test/faults/small-disk.ts'
import { type LocalTable, openLocalTable } from './open-local-table.ts'

let local: LocalTable
let store: TableStateStore
before(() => {
  local = openLocalTable()
  store = new TableStateStore(local.table)
})
after(() => local.close())

stateStoreContract('the state store on a file', () => store)

/** Writes to a file of items, in another process, until it is killed; says when it has begun. */
async function otherWriter(path: string, pipeline: string) {
  const script = `
    const { SqliteItemTable } = await import('dray/internal/state/local/sqlite-item-table.ts')
    const { TableStateStore } = await import('dray/internal/state/table-state-store.ts')
    const store = new TableStateStore(new SqliteItemTable(${JSON.stringify(path)}))
    for (let count = 1; ; count++) {
      await store.setLastRun(${JSON.stringify(pipeline)}, String(count), 0)
      console.log(count)
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let told = ''
  child.stdout.on('data', (data) => (told += data))
  while (!told.includes('\n')) await once(child.stdout, 'data')
  return { child, told: () => Number(told.trimEnd().split('\n').at(-1)) }
}

describe('a file of items', () => {
  test('has all that a process wrote before it was killed in the middle of a write', async () => {
    for (let round = 0; round < 5; round++) {
      const { child, told } = await otherWriter(local.path, `killed-${round}`)
      child.kill('SIGKILL')
      await once(child, 'close')

      const state = await store.pipeline(`killed-${round}`)

      assert.ok(Number(state?.lastRun) >= told(), `${state?.lastRun} of ${told()}`)
      assert.equal(state?.version, Number(state?.lastRun))
    }
    const database = new DatabaseSync(local.path)
    assert.deepEqual(Object.values(database.prepare('PRAGMA integrity_check').get() ?? {}), ['ok'])
    database.close()
  })

  test('gives a lease to one of several processes that ask at once, and loses no write of them', async () => {
    const script = `
      const { SqliteItemTable } = await import('dray/internal/state/local/sqlite-item-table.ts')
      const { TableStateStore } = await import('dray/internal/state/table-state-store.ts')
      const store = new TableStateStore(new SqliteItemTable(${JSON.stringify(local.path)}))
      const taken = await store.acquireLease('contended', 'run-' + process.pid, 0, 1000).then(() => 'taken', () => 'held')
      for (let partition = 0; partition < 50; partition++) {
        await store.countAttempt({ runId: 'contended', pipeline: 'orders', partition })
      }
      console.log(taken)`
    await store.startRun({ id: 'contended', workflow: 'daily', startTime: 0, runner: 'test', trigger: 'manual' })

    const told = await Promise.all(
      [1, 2, 3].map(async () => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        return String((await child.stdout.toArray()).join('')).trim()
      }),
    )

    assert.deepEqual(told.sort(), ['held', 'held', 'taken'])
    const { partitions = [] } = (await store.run('contended')) ?? {}
    assert.deepEqual(
      partitions.map(({ attempts }) => attempts),
      Array(50).fill(3),
    )
  })

  test('is made by whichever of several processes comes first', async (t) => {
    const fresh = join(local.path, '..', 'fresh.db')
    makePrivateFile(fresh)
    const script = `
      const { SqliteItemTable } = await import('dray/internal/state/local/sqlite-item-table.ts')
      await new SqliteItemTable(${JSON.stringify(fresh)}).put({ pk: 'a', sk: String(process.pid) }, {})`

    const codes = await Promise.all(
      [1, 2, 3, 4].map(
        async () =>
          (
            await once(spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' }), 'close')
          )[0],
      ),
    )

    const table = new SqliteItemTable(fresh)
    t.after(() => table.close())
    assert.deepEqual(codes, [0, 0, 0, 0])
    assert.equal((await itemsOf(table, 'a')).length, 4)
  })

  test('is for its user alone, with all that SQLite puts beside it', () => {
    for (const end of ['', '-wal', '-shm']) assert.equal(statSync(local.path + end).mode & 0o777, 0o600, end)
  })

  test('reads page after page in both directions, in the order of UTF-8', async () => {
    const keys = Array.from({ length: 1_300 }, (_, place) => String(place).padStart(6, '0'))
    keys.push('\uFFFD', '\u{1F600}')
    for (const sk of keys.toReversed()) await local.table.put({ pk: 'paged', sk }, {})

    const [up, down] = [await itemsOf(local.table, 'paged'), await itemsOf(local.table, 'paged', false)]

    assert.deepEqual(up, keys)
    assert.deepEqual(down, keys.toReversed())
  })

  test('reads what begins with a prefix, and nothing beside it', async () => {
    const keys = ['a', 'a#1', 'a\u{10FFFF}', 'b', 'c', '\uD7FF', '\uD7FF1', '\uE000', '\u{10FFFF}', '\u{10FFFF}1']
    for (const sk of keys) await local.table.put({ pk: 'prefixed', sk }, {})

    for (const prefix of ['a', 'a#', 'a\u{10FFFF}', '\uD7FF', '\u{10FFFF}']) {
      const given = {
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
        ExpressionAttributeValues: { ':pk': 'prefixed', ':prefix': prefix },
      }
      const found = (await Array.fromAsync(local.table.query(given))).map(({ sk }) => String(sk))
      assert.deepEqual(found.toSorted(), keys.filter((key) => key.startsWith(prefix)).toSorted())
    }
  })

  test('loses what is past its time to live, and nothing else', async () => {
    const table = new TableStateStore(local.table, 1)
    await table.startRun({ id: 'expiring', workflow: 'brief', startTime: 0, runner: 'test', trigger: 'manual' })
    await table.setLastRun('kept', 'a', 0)
    await new TableWorkflowSlots(local.table).open('brief', 0)
    const day = 24 * 3600 * 1000

    const early = local.table.removeExpired(Date.now())
    const late = local.table.removeExpired(Date.now() + 1.1 * day)

    assert.equal(early, 0)
    assert.equal(late, 1)
    assert.equal(await table.run('expiring'), null)
    assert.equal((await table.pipeline('kept'))?.lastRun, 'a')
    assert.equal(local.table.removeExpired(Date.now() + 80 * day), 0)
  })

  test('keeps events of lineage in their order', async () => {
    const kept = new KeptEvents(local.table, runExpiry(1))
    for (const id of ['2', '1', '1']) await kept.keep('lineage', id, `event ${id}`)

    assert.deepEqual(await kept.of('lineage'), ['event 1', 'event 2'])
  })
})

describe('what a file of items does not know is refused', () => {
  const key = { pk: 'refused', sk: 'one' }
  const expressions = [
    'NOT a = :a',
    'contains(a, :a)',
    'a = :a OR',
    '(a = :a',
    'a[0] = :a',
    'a.b = :a',
    'a < :a',
    'a ? :a',
  ]
  for (const text of expressions) {
    test(`of conditions: ${text}`, async () => {
      const given = { ConditionExpression: text, ExpressionAttributeValues: { ':a': 1 } }
      await assert.rejects(local.table.put(key, given), { name: 'Terminal', message: /does not know this expression/ })
      assert.equal(await local.table.get(key), null)
    })
  }
  for (const text of ['ADD a :a', 'SET a = :a - :a', 'SET a = list_append(a, :a)', 'DELETE a :a', 'SET a = :a,']) {
    test(`of updates: ${text}`, async () => {
      const given = { UpdateExpression: text, ExpressionAttributeValues: { ':a': 1 } }
      await assert.rejects(local.table.update(key, given), {
        name: 'Terminal',
        message: /does not know this expression/,
      })
    })
  }

  test('of placeholders, one that is not given, or not used', async () => {
    const wrong = [
      { ConditionExpression: 'a = :a' },
      { ConditionExpression: 'a = :a', ExpressionAttributeValues: { ':a': 1, ':b': 1 } },
      { ConditionExpression: '#a = :a', ExpressionAttributeValues: { ':a': 1 } },
      { ExpressionAttributeNames: { '#a': 'a' } },
    ]
    for (const given of wrong)
      await assert.rejects(local.table.put(key, given), { name: 'Terminal', message: /[:#][ab]/ })
  })

  test('of values, what DynamoDB would not hold, or not exactly', async () => {
    const wrong: readonly unknown[] = [
      Number.NaN,
      2 ** 53,
      1e300,
      1e-200,
      1n,
      undefined,
      new Date(),
      new Set(['a']),
      () => 1,
    ]
    for (const value of wrong) {
      await assert.rejects(local.table.put({ ...key, value }, {}), { name: 'Terminal' }, String(value))
      await assert.rejects(local.table.put({ ...key, value: [{ value }] }, {}), { name: 'Terminal' }, String(value))
    }
    await assert.rejects(local.table.put({ ...key, kind: 7 }, {}), { name: 'Terminal', message: /key kind/ })
    await assert.rejects(local.table.put({ pk: 'refused', sk: '' }, {}), { name: 'Terminal', message: /key sk/ })
    await assert.rejects(local.table.put({ ...key, a: 'x'.repeat(400 * 1024) }, {}), { message: /larger than 400 KB/ })
    assert.equal(await local.table.get(key), null)
  })

  test('of numbers, a sum that is not exact', async () => {
    await local.table.put({ ...key, a: Number.MAX_SAFE_INTEGER, b: 0.1 }, {})
    for (const name of ['a', 'b', 'c']) {
      const given = { UpdateExpression: `SET ${name} = ${name} + :one`, ExpressionAttributeValues: { ':one': 1 } }
      await assert.rejects(local.table.update(key, given), { name: 'Terminal' }, name)
    }
    assert.deepEqual(await local.table.get(key), { ...key, a: Number.MAX_SAFE_INTEGER, b: 0.1 })
  })
})

describe('in words is said that the file', () => {
  const beside = (name: string) => join(local.path, '..', name)
  const opening = (path: string) => () => new SqliteItemTable(path)

  test('is not there', () => {
    assert.throws(opening(beside('none.db')), { name: 'Configuration', message: /cannot be opened.*ls -l/ })
  })

  test('is none of SQLite, or damaged', () => {
    writeFileSync(beside('text.db'), 'This is a text of more than one hundred bytes. '.repeat(100))

    assert.throws(opening(beside('text.db')), { name: 'Configuration', message: /no SQLite file.*mv / })
    assert.match(readFileSync(beside('text.db'), 'utf8'), /^This/)
  })

  test('belongs to another program', () => {
    const other = new DatabaseSync(beside('other.db'))
    other.exec('CREATE TABLE notes (note TEXT)')
    other.close()

    assert.throws(opening(beside('other.db')), { name: 'Configuration', message: /something else than Dray's state/ })
  })

  test('is of a newer version', () => {
    const path = openNewer(beside('newer.db'))

    assert.throws(opening(path), { name: 'Configuration', message: /format 2.*neither read nor changed/ })
  })

  test('cannot be written', async (t) => {
    const disk = mountSmallDisk('1m')
    if ('unavailable' in disk) return t.skip(disk.unavailable)
    t.after(() => disk.remove())
    const path = join(disk.folder, 'state.db')
    makePrivateFile(path)
    const table = new SqliteItemTable(path)
    await table.put({ pk: 'a', sk: 'b' }, {})
    table.close()
    disk.resize('1m,ro')

    await assert.rejects(async () => new SqliteItemTable(path).put({ pk: 'a', sk: 'c' }, {}), {
      name: 'Configuration',
      message: /(cannot be written|cannot be opened).*nothing was (changed|read or written)/,
    })
  })

  test('holds an item that is no JSON', async () => {
    const database = new DatabaseSync(local.path)
    database.exec("INSERT INTO items (pk, sk, item) VALUES ('damaged', 'a', '{')")
    database.close()

    await assert.rejects(local.table.get({ pk: 'damaged', sk: 'a' }), { name: 'Terminal', message: /no JSON/ })
  })

  test('has no room on its disk, and nothing of the write is kept', async (t) => {
    const disk = mountSmallDisk('1m')
    if ('unavailable' in disk) return t.skip(disk.unavailable)
    const path = join(disk.folder, 'state.db')
    makePrivateFile(path)
    const table = new SqliteItemTable(path)
    t.after(() => {
      table.close()
      disk.remove()
    })
    await table.put({ pk: 'a', sk: 'first' }, {})
    const fill = async () => {
      for (let place = 0; place < 100; place++)
        await table.put({ pk: 'a', sk: `${place}`, text: 'x'.repeat(50_000) }, {})
    }

    await assert.rejects(fill(), { name: 'Terminal', message: /disk .* full, so nothing was written.*free/ })

    assert.ok(await table.get({ pk: 'a', sk: 'first' }))
  })

  test('is written by another for too long', { timeout: 60_000 }, async () => {
    const other = new DatabaseSync(local.path)
    other.exec('BEGIN IMMEDIATE')
    try {
      const outcome = await local.table.put({ pk: 'busy', sk: 'a' }, {})

      assert.equal(outcome.kind, 'unknown')
      assert.match(outcome.kind === 'unknown' ? outcome.error.message : '', /written by another process/)
      assert.equal(await local.table.get({ pk: 'busy', sk: 'a' }), null)
    } finally {
      other.close()
    }
  })
})

function openNewer(path: string): string {
  makePrivateFile(path)
  new SqliteItemTable(path).close()
  const database = new DatabaseSync(path)
  database.exec('PRAGMA user_version = 2')
  database.close()
  return path
}

async function itemsOf(table: ItemTable, pk: string, ScanIndexForward = true): Promise<string[]> {
  const given = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': pk }, ScanIndexForward }
  return (await Array.fromAsync(table.query(given))).map(({ sk }) => String(sk))
}
