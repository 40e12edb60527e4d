import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import type { Adapter, Connection } from 'dray/internal/database/adapter.ts'
import { withSubstitutes } from 'dray/internal/database/substitutes.ts'
import { TransientError } from 'dray/internal/errors.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { landed } from 'dray/internal/pipeline/declare/landed-rows.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { sql } from 'dray/internal/pipeline/declare/sql-expression.ts'
import { type SqlTask, task } from 'dray/internal/pipeline/declare/task.ts'
import { runTask } from 'dray/internal/pipeline/stages/run-task.ts'
import { long } from '#test/long.ts'
import { onEachEngine } from '#test/pipeline/engines.ts'
import { runPipeline, runReference } from '#test/pipeline/harness.ts'

/*
 * Tasks that are SQL behind a pipeline, whose connection is lost at each of their calls, before the server has done it
 * and after, COMMIT among them. Another delivery, and the next run, leave what the database itself selects.
 */

const source = database('faulty-source')
const warehouse = database('faulty-warehouse')
const fields = { id: bigint().primaryKey(), customerId: bigint(), cents: bigint() }
class Order extends source.table('orders', fields) {}
class Sale extends warehouse.table('sale', { ...fields, loadedAt: timestamp().landed() }) {}
const total = { customerId: bigint().primaryKey(), sales: bigint(), cents: bigint(), loadedAt: timestamp().landed() }
class Total extends warehouse.table('total', total) {}
class Changed extends warehouse.table('changed_total', total) {}

const orders = pipeline('orders', {
  extract: fullLoad(Order),
  transform: (order) => ({ ...order }),
  load: upsert(Sale, { by: 'id' }),
})
const totals = sql`select customer_id, count(*) as sales, sum(cents) as cents from ${Sale}`
const tasks: readonly SqlTask[] = [
  task('totals', sql`${totals} group by customer_id`, {
    into: Total,
    by: 'customerId',
    deletes: { hard: true, most: 1 },
  }),
  task(
    'changed',
    sql`${totals} where customer_id in (select customer_id from ${Sale} where ${landed(Sale)}) group by customer_id`,
    { into: Changed, by: 'customerId' },
  ),
]

/** In the short form at each fourth call. */
const EACH = long ? 1 : 4

class Lost extends TransientError {}

/** An adapter whose connections are lost at one of their calls. */
function losing(adapter: Adapter, at: number, when: 'before' | 'after'): { adapter: Adapter; calls: () => number } {
  let calls = 0
  const lost = new WeakSet<object>()
  const wrapped = new Map<object, Connection>()
  const wrap = (connection: Connection): Connection => {
    const proxy = new Proxy(connection, {
      get(target, name) {
        const member = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        if (name === 'stopAt' || name === 'describeBy' || name === 'stream' || name === 'copyOut')
          return member.bind(target)
        return async (...given: unknown[]) => {
          if (lost.has(target)) throw new Lost('the connection is lost')
          const isHere = ++calls === at
          if (isHere) lost.add(target)
          if (isHere && when === 'before') throw new Lost(`lost before ${String(name)}`)
          const result = await member.apply(target, given)
          if (isHere) throw new Lost(`lost after ${String(name)}`)
          return result
        }
      },
    })
    wrapped.set(proxy, connection)
    return proxy
  }
  const proxy = new Proxy(adapter, {
    get(target, name) {
      if (name === 'acquire') return async () => wrap(await target.acquire())
      if (name === 'release') {
        return async (connection: Connection, broken = false) => {
          const own = wrapped.get(connection) as Connection
          if (lost.has(own)) await own.rollback().catch(() => {})
          return target.release(own, broken || lost.has(own))
        }
      }
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return { adapter: proxy, calls: () => calls }
}

onEachEngine('a task that is SQL loses its connection', [source, warehouse], (engine) => {
  const rowsOf = async (statement: string) =>
    (await warehouse.query(statement)).rows.map((row) => row.map(Number).join())
  const selected = () => rowsOf('select customer_id, count(*), sum(cents) from sale group by customer_id order by 1')

  for (const of of tasks) {
    test(`${of.name}: at each of its calls, and another delivery or the next run has every row`, async () => {
      const { services } = engine.harness
      await (Order as unknown as ModelClass).createTable()
      await (Sale as unknown as ModelClass).createTable()
      const work = (id: string) => runTask(of, { run: runReference(id), task: of.name }, services)
      const { table } = of.work.into.definition
      let faults = 0
      for (let at = 1, ended = false; !ended; at += EACH) {
        for (const when of ['before', 'after'] as const) {
          const id = BigInt(at * 2 + (when === 'after' ? 1 : 0))
          await Order.upsertAll([{ id, customerId: id % 7n, cents: id }])
          await runPipeline(orders, `orders-${id}`, services)
          const run = `run-${id}`
          const { adapter, calls } = losing(await warehouse.adapter(), at, when)
          const first = await withSubstitutes(new Map([[warehouse.name, adapter]]), () => work(run)).catch(
            (error: unknown) => error,
          )
          ended = calls() < at
          if (first instanceof Error) {
            faults += 1
            assert.equal(first.name, 'Transient', `${of.name} at call ${at}, ${when}: ${first.stack}`)
            const again = await work(run)
            assert.equal(again.read, (again.inserted ?? 0) + (again.updated ?? 0) + (again.unchanged ?? 0))
          }

          assert.deepEqual(
            await rowsOf(`select customer_id, sales, cents from ${table} order by 1`),
            await selected(),
            `${of.name}: lost at call ${at}, ${when}`,
          )
        }
      }
      assert.ok(faults > 30 / EACH, `${faults} faults`)
    })
  }
})
