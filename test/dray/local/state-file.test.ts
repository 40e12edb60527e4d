import assert from 'node:assert/strict'
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, mock, test } from 'node:test'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import { startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { STATE_TABLE_NAME } from 'dray-infra/internal/local/services-protocol.ts'
import { openStateIn } from 'dray-infra/internal/local/state.ts'
import { prepareStateFile } from 'dray-infra/internal/local/state-file.ts'
import { createStateTable } from '#test/services/create-state-table.ts'

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dray-state-file-'))
})
afterEach(() => {
  mock.restoreAll()
  rmSync(home, { recursive: true })
})

const file = () => join(home, 'state.db')

describe('the file of the state', () => {
  test('is made for its user alone, and stays as it is', async () => {
    const endpoint = await prepareStateFile(home)
    const first = await openStateIn(home)
    await first.setLastRun('orders', 'a', 0)
    first.close()

    const second = await openStateIn(home)

    assert.equal(endpoint, `sqlite:${file()}`)
    assert.equal(statSync(file()).mode & 0o777, 0o600)
    assert.equal((await second.pipeline('orders'))?.lastRun, 'a')
    second.close()
  })

  test('is refused where everybody can write to it, or where it is a link', async () => {
    await prepareStateFile(home)
    chmodSync(file(), 0o666)
    await assert.rejects(prepareStateFile(home), { name: 'Configuration', message: /everybody can write to it/ })
    rmSync(file())
    writeFileSync(join(home, 'elsewhere'), '')
    symlinkSync(join(home, 'elsewhere'), file())

    await assert.rejects(prepareStateFile(home), { name: 'Configuration', message: /is a link/ })
  })

  test('of another user is refused', { skip: process.getuid?.() !== 0 && 'only root gives files away' }, async () => {
    await prepareStateFile(home)
    chownSync(file(), 12_345, 12_345)

    await assert.rejects(prepareStateFile(home), { name: 'Configuration', message: /belongs to another user/ })
  })
})

describe('a state that an earlier version kept by dynalite', () => {
  /** Of two pipelines and more runs than a page of a scan holds. */
  async function keepEarlier(): Promise<void> {
    const server = await startDynamoDb({ folder: join(home, 'dynamodb') })
    const client = createStateClient({ endpoint: server.endpoint })
    await createStateTable(client, STATE_TABLE_NAME)
    const state = createStateStore({ tableName: STATE_TABLE_NAME, endpoint: server.endpoint })
    await state.setLastRun('orders', '2026-01-01 00:00:00.123456', 0)
    await state.acquireLease('customers', 'run-1', 0, 1000)
    for (let place = 0; place < 150; place++) {
      const error = 'x'.repeat(8_000)
      await state.startRun({ id: `${place}`, workflow: 'daily', startTime: place, runner: 'local', trigger: 'manual' })
      const end = { status: 'failed', endTime: place + 1, recordsProcessed: 7, recordsFailed: 0, error } as const
      await state.finishRun(`${place}`, end)
    }
    client.destroy()
    state.close()
    await server.stop()
  }

  /** What is said of it. */
  function listen(): () => string {
    const written = mock.method(process.stderr, 'write', () => true)
    return () => written.mock.calls.map(({ arguments: [text] }) => String(text)).join('')
  }

  test('is copied once, by one of the commands that come at once, and put aside', async () => {
    await keepEarlier()
    writeFileSync(`${file()}.copy`, 'what a copy left that was killed')
    const said = listen()

    const states = await Promise.all([1, 2, 3].map(() => openStateIn(home)))

    const [state] = states as [(typeof states)[number]]
    assert.equal((await state.pipeline('orders'))?.lastRun, '2026-01-01 00:00:00.123456')
    assert.equal((await state.pipeline('customers'))?.leaseOwner, 'run-1')
    const runs = await state.runs({ workflow: 'daily', limit: 1_000 })
    assert.deepEqual(
      runs.map(({ id, recordsProcessed, error }) => [id, recordsProcessed, error?.length]),
      Array.from({ length: 150 }, (_, place) => [`${149 - place}`, 7, 8_000]),
    )
    assert.match(
      said(),
      /^The local state, 152 items, was copied from \S+\/dynamodb into \S+\/state\.db\. .*rm -r \S+\.before\n$/,
    )
    assert.equal(existsSync(join(home, 'dynamodb')), false)
    for (const one of states) one.close()
  })

  test('is not copied over one that is there', async () => {
    const before = await openStateIn(home)
    await before.setLastRun('orders', 'newer', 0)
    before.close()
    await keepEarlier()
    const said = listen()

    const state = await openStateIn(home)

    assert.equal((await state.pipeline('orders'))?.lastRun, 'newer')
    assert.equal(said(), '')
    state.close()
  })

  test('is refused, and not lost, while a process of that version uses it', async () => {
    await keepEarlier()
    const server = await startDynamoDb({ folder: join(home, 'dynamodb') })

    await assert.rejects(openStateIn(home), { name: 'Configuration', message: /used by another process/ })
    await server.stop()
    assert.equal(existsSync(file()), false)
    listen()
    const state = await openStateIn(home)

    assert.equal((await state.pipelines()).length, 2)
    state.close()
  })
})
