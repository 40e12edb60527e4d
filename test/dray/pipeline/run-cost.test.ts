import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { closeDatabases, database } from 'dray/internal/active-record/database.ts'
import { bigint, text } from 'dray/internal/active-record/field-kinds.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { TransientError } from 'dray/internal/errors.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { task } from 'dray/internal/pipeline/declare/task.ts'
import { assumptions, estimate } from 'dray/internal/pipeline/plan/capacity.ts'
import { runCost } from 'dray/internal/pipeline/plan/run-cost.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { runTask } from 'dray/internal/pipeline/stages/run-task.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { emptyStep, type RunDetail } from 'dray/internal/state/state-store.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import { execute, realClock } from 'dray-infra/internal/states-language/index.ts'
import { type Harness, openHarness } from './harness.ts'

const source = database('cost-source')
const target = database('cost-target')
class Item extends source.table('item', { id: bigint().primaryKey(), label: text() }) {}
class Product extends target.table('product', { id: bigint().primaryKey(), label: text() }) {}
class Label extends target.table('label', { id: bigint().primaryKey(), label: text() }) {}

const copied = (name: string, model: typeof Product | typeof Label) =>
  pipeline(name, {
    extract: fullLoad(Item, { partitionRows: 2 }),
    transform: ({ id, label }) => ({ id, label }),
    load: upsert(model, { by: 'id' }),
  })
const pipelines = { Products: copied('products', Product), Labels: copied('labels', Label) }
const mart = task('mart', async () => undefined)

/** Of each call here, in place of its time. */
const SPENT = { calls: 1, megabyte_ms: 1024 * 1000 }

describe('the cost of a run', () => {
  let harness: Harness
  let services: Services
  before(async () => {
    harness = await openHarness()
    services = { ...harness.services, runner: 'stepfunctions', spent: () => SPENT }
    for (const { name } of [source, target])
      process.env[urlVariable(name)] = `sqlite:${join(harness.folder, `${name}.db`)}`
    for (const model of [Item, Product, Label]) await model.createTable()
    await Item.insertAll(Array.from({ length: 5 }, (_, index) => ({ id: BigInt(index), label: 'x' })))
  })
  after(async () => {
    await closeDatabases()
    await harness.close()
  })

  /** By the interpreter; the first Load fails as often as said, after its attempt has been counted. */
  async function executed(id: string, given: Services, failures = 0) {
    const counts = { calls: 0, transitions: 0 }
    let left = failures
    const call = (name: string, payload: never, isOfProducts: boolean): Promise<unknown> => {
      if (name === 'DrayFinish') return finish(payload, given)
      if (name.startsWith('Mart')) return runTask(mart, payload, given)
      const of = isOfProducts ? pipelines.Products : pipelines.Labels
      if (name === 'DrayPlan') return plan(of, payload, given)
      if (name === 'DrayCommit') return commit(of, payload, given)
      if (name.endsWith('Extract')) return extract(of, payload, given)
      if (name.endsWith('Transform')) return transform(of, payload, given)
      return load(of, payload, given)
    }
    const invoke = async (name: string, payload: unknown) => {
      counts.calls += 1
      if (name === 'ProductsLoad' && left > 0) {
        left -= 1
        await given.state.countAttempt({ runId: id, pipeline: 'products', partition: 0 })
        throw new TransientError('away')
      }
      return call(name, payload as never, (payload as { readonly pipeline?: string }).pipeline === 'products')
    }
    const steps = [run(pipelines.Products), run(pipelines.Labels)]
    const { definition, machines } = toStatesLanguage(
      workflow('w', { steps: [...steps, run(mart, { after: Object.values(pipelines) })] }),
    )
    const { status, cause } = await execute(
      definition,
      {},
      {
        machines,
        clock: realClock,
        executionName: id,
        onEvent: ({ type }) => {
          if (type === 'state-entered') counts.transitions += 1
        },
        executor: { invoke },
      },
    )
    assert.equal(status, 'SUCCEEDED', cause)
    const detail = (await given.state.run(id)) as RunDetail
    return { counts, detail, cost: runCost(detail) }
  }

  test('is that of each call and state of its pipelines and its task, with what was planned beside it', async () => {
    const { counts, cost } = await executed('run-1', services)

    assert.deepEqual(
      [cost?.calls, cost?.callsAssumed, cost?.gigabyteSeconds, cost?.stateTransitions],
      [counts.calls, 0, counts.calls, counts.transitions],
    )
    const { prices, callLogBytes } = assumptions
    const { lambda = 0, logs = 0, stateTransitions = 0, s3 = 0, dynamoDb = 0 } = cost?.parts ?? {}
    assert.deepEqual(
      [lambda, logs, stateTransitions],
      [
        counts.calls * prices.lambdaGigabyteSecond + counts.calls * prices.lambdaRequest,
        counts.calls * (callLogBytes / 1e9) * prices.logGigabyte,
        counts.transitions * prices.stateTransition,
      ],
    )
    assert.equal(cost?.usDollars, lambda + logs + stateTransitions + s3 + dynamoDb)
    assert.equal(cost?.plannedUsDollars, 2 * estimate({ rows: 5, partitionRows: 2 }).runCost)
  })

  test('counts Loads that failed, each as the mean of the calls that are known', async () => {
    const { counts, cost } = await executed('run-2', services, 2)

    assert.deepEqual(
      [cost?.calls, cost?.callsAssumed, cost?.gigabyteSeconds, cost?.stateTransitions],
      [counts.calls, 2, counts.calls, counts.transitions + 2],
    )
  })

  test('is that of its calls where a run finds no row, as planned', async () => {
    await Item.all().deleteAll()

    const { counts, cost } = await executed('run-0', services)

    assert.deepEqual([cost?.calls, cost?.stateTransitions], [counts.calls, counts.transitions])
    assert.equal(cost?.plannedUsDollars, 2 * estimate({ rows: 0, partitionRows: 2 }).runCost)
  })

  test('is not known of a run on a laptop, nor of one from before calls were measured', async () => {
    const { spent: _, ...unmeasured } = services

    const { detail, cost } = await executed('run-3', unmeasured)
    const local = await executed('run-4', { ...services, runner: 'local:host:1' })

    assert.deepEqual([cost, local.cost], [null, null])
    assert.ok([detail.run, ...detail.steps, ...detail.partitions].every((one) => !('spent' in one)))
  })

  test('is said of a run that has failed, too: its Commit, its Outcome and Finish', async () => {
    const started = { id: 'run-5', workflow: 'w', started_at: new Date().toISOString(), trigger: 'manual' }
    const { outcome } = await import('dray/internal/pipeline/stages/outcome.ts')
    const ending = { status: 'failed', reason: 'Terminal: broken' } as const
    await services.state.startRun({ ...started, startTime: Date.now(), runner: 'stepfunctions' })
    await services.state.putStep({ ...emptyStep('run-5', 'products'), spent: SPENT, plannedCost: 0.5 })

    await outcome({ run: started, pipeline: 'products', outcome: ending, fault: null }, services)
    const { us_dollars: told } = await finish({ run: started, steps: { products: ending } }, services)

    const cost = runCost((await services.state.run('run-5')) as RunDetail)
    assert.deepEqual([cost?.calls, cost?.plannedUsDollars, cost?.usDollars], [3, 0.5, told])
  })
})
