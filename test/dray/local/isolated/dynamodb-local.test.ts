import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { closeDatabases } from 'dray/internal/active-record/database.ts'
import { createStateClient, createStateStore } from 'dray/internal/state/dynamodb-state-store.ts'
import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { startIsolated } from 'dray-infra/internal/local/isolated/index.ts'
import { RunProgress } from 'dray-infra/internal/runs/run-progress.ts'
import { runWorkflow } from 'dray-infra/internal/runs/run-workflow.ts'
import { createFirstTargets } from 'dray-infra/internal/runs/target-tables.ts'
import { stateStoreContract } from '#test/contracts/state-store.ts'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { fixtureFolder, fixtureProject } from '#test/fixture-project.ts'
import { createStateTable } from '#test/services/create-state-table.ts'
import { type DynamoDbLocal, startDynamoDbLocal, withoutDynamoDbLocal } from '#test/services/dynamodb-local.ts'

/* Dynalite is what every other test runs on: here is whether Amazon's own DynamoDB Local sees it the same way. */

if (withoutDynamoDbLocal !== null) test('parity with DynamoDB Local', { skip: withoutDynamoDbLocal }, () => {})
else parity()

function parity(): void {
  let amazon: DynamoDbLocal
  let store: TableStateStore
  before(async () => {
    amazon = await startDynamoDbLocal()
    // The contract writes a thousand items at once: a busy machine accepts no 50 connections in a second.
    const options = { endpoint: amazon.endpoint, requestTimeout: 60_000 }
    await createStateTable(createStateClient(options), 'contract')
    store = createStateStore({ ...options, tableName: 'contract' })
  })
  after(async () => {
    store.close()
    await amazon.stop()
  })

  stateStoreContract('the state store on DynamoDB Local', () => store)

  describe('the daily update as it is deployed', () => {
    test('comes to the same steps on DynamoDB Local as on dynalite, and so does the run after it', async (context) => {
      const dynalite = await startDynamoDb()
      context.after(() => dynalite.stop())

      const onAmazon = await runTwice(amazon.endpoint)
      const onDynalite = await runTwice(dynalite.endpoint)

      assert.deepEqual(
        onAmazon.map(({ status }) => status),
        ['success', 'success'],
      )
      assert.deepEqual(onAmazon, onDynalite)
    })
  })
}

/** The whole workflow over new SQLite files, twice: what the state has of its steps. */
async function runTwice(endpoint: string) {
  const home = await mkdtemp(join(tmpdir(), 'dray-parity-'))
  const file = (name: string) => join(home, `${name}.db`)
  fillSources(file)
  await createStateTable(createStateClient({ endpoint, requestTimeout: 60_000 }), 'dray')
  Object.assign(process.env, {
    STATE_ENDPOINT: endpoint,
    STATE_TABLE_NAME: 'dray',
    STAGING_URL: pathToFileURL(join(home, 'staging')).href,
    ...Object.fromEntries(
      ['shop', 'till', 'lake'].map((name) => [`${name.toUpperCase()}_DATABASE_URL`, `sqlite:${file(name)}`]),
    ),
  })
  const state = createStateStore({ tableName: 'dray', endpoint, requestTimeout: 60_000 })
  const workers = await startIsolated({ home, project: await fixtureProject(), environment: process.env })
  try {
    await createFirstTargets(await fixtureProject(), ['customers', 'orders'], state)
    const view = { update: () => {}, note: () => {}, stop: () => {} }
    const runs = []
    for (const id of ['first', 'second']) {
      const progress = new RunProgress(['customers', 'orders', 'data-mart'], view)
      const options = { id, workflow: nightly, folder: fixtureFolder, state, workers, progress }
      const { status, steps } = await runWorkflow({ ...options, signal: new AbortController().signal })
      runs.push({
        status,
        steps: steps.map(({ step, read, inserted, unchanged, quarantined, error }) => [
          step,
          read,
          inserted,
          unchanged,
          quarantined,
          error,
        ]),
      })
    }
    return runs
  } finally {
    await workers.close()
    state.close()
    await closeDatabases()
    await rm(home, { recursive: true })
  }
}

function fillSources(file: (name: string) => string): void {
  const shop = new DatabaseSync(file('shop'))
  shop.exec(
    `create table customers (id integer primary key, name text, email text, phone text, address text, created_at text);
     insert into customers (id, name) values (1, 'Ann'), (2, ''), (3, 'Bo')`,
  )
  shop.close()
  const till = new DatabaseSync(file('till'))
  till.exec(
    `create table orders (id integer primary key, customer_id integer, order_date text, total_amount text, status text, last_updated text);
     insert into orders values (1, 1, '2024-01-01 00:00:00', '1.00', 'new', '2024-01-01 12:00:00'),
       (2, 3, '2024-01-02 00:00:00', '2.50', 'new', '2024-01-02 12:00:00'), (3, null, null, null, null, '2024-01-03 12:00:00')`,
  )
  till.close()
}
