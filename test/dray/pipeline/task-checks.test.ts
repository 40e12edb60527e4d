import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { between, freshness, notNull, rowCount, unique } from 'dray/internal/pipeline/declare/checks.ts'
import { checked, type Task, task } from 'dray/internal/pipeline/declare/task.ts'
import { runTask } from 'dray/internal/pipeline/stages/run-task.ts'
import { onEachEngine } from './engines.ts'
import { runReference } from './harness.ts'

const mart = database('task-mart')
class Sales extends mart.table('sales', {
  id: bigint().primaryKey(),
  region: varchar(20).nullable(),
  total: bigint(),
}) {}
class Regions extends mart.table('regions', { name: varchar(20).primaryKey() }) {}

onEachEngine('checks of a task', [mart], (engine) => {
  const run = (of: Task, id: string) => runTask(of, { run: runReference(id), task: of.name }, engine.harness.services)
  const stepOf = (id: string) => engine.harness.services.state.stepRecord(id, 'data-mart')
  const filling = (rows: readonly [number, string | null, number][]) => async () => {
    await Sales.createTable({ ifMissing: true })
    await Sales.deleteAll()
    await Sales.insertAll(rows.map(([id, region, total]) => ({ id: BigInt(id), region, total: BigInt(total) })))
  }
  const checks = [checked(Sales, [unique('region'), between('total', 0, 100), rowCount({ min: 2 })])]
  const owner = 'sales team <sales@example.org>'

  test('hold of what it has written', async () => {
    await run(
      task(
        'data-mart',
        filling([
          [1, 'north', 5],
          [2, 'south', 6],
        ]),
        { checks, owner },
      ),
      'run-1',
    )

    const step = await stepOf('run-1')
    assert.deepEqual([step?.status, step?.owner], ['success', owner])
    assert.deepEqual(
      step?.checks?.map(({ name, table, status, scope }) => [name, table, status, scope]),
      ['unique(region)', 'between(total)', 'rowCount'].map((name) => [name, 'task-mart.sales', 'passed', 'table']),
    )
  })

  test('fail the step with what they found, and what the task has written stays', async () => {
    const work = filling([
      [1, 'north', 5],
      [2, 'north', 600],
    ])

    await assert.rejects(run(task('data-mart', work, { checks }), 'run-1'), {
      name: 'DataQuality',
      message:
        /^data-mart: 2 of its 3 checks do not hold: unique\(region\) of task-mart\.sales: 2 rows with a region .*dray resume run-1/,
    })

    const step = await stepOf('run-1')
    assert.match(step?.error ?? '', /2 of its 3 checks do not hold/)
    assert.deepEqual(
      step?.checks?.map(({ status, keys }) => [status, keys]),
      [
        ['failed', [{ region: 'north' }]],
        ['failed', [{ id: '2' }]],
        ['passed', []],
      ],
    )
    assert.equal(await Sales.count(), 2)
  })

  test('are said before the work begins where the database does not take them', async () => {
    await Regions.createTable()
    await mart.query('alter table regions rename column name to title')
    let calls = 0
    const counting = task('data-mart', async () => void calls++, { checks: [checked(Regions, [notNull('name')])] })

    await assert.rejects(run(counting, 'run-1'), /the check notNull\(name\) of task-mart\.regions cannot run/)

    assert.equal(calls, 0)
  })
})

test('checks that a task cannot have are refused when it is declared', () => {
  const refused = (...checks: Parameters<typeof checked<typeof Sales>>[1]) =>
    task('data-mart', async () => {}, { checks: [checked(Sales, checks)] })
  assert.throws(
    () => refused(unique('region', { scope: 'run' })),
    /task\('data-mart'\): the check unique\(region\): .*is a task/,
  )
  assert.throws(() => refused(rowCount({ within: '20%' })), /say min or max/)
  assert.throws(() => refused(freshness('2h')), /a task has no source/)
  // @ts-expect-error: Sales has no field of that name.
  assert.throws(() => refused(unique('regoin')), /has no field "regoin"/)
  assert.deepEqual(task('mart', async () => {}, { checks: [checked(Sales, [])] }).databases, ['task-mart'])
})

test('an owner is one line', () => {
  assert.throws(
    () => task('mart', async () => {}, { owner: ' ' }),
    /task\('mart'\): owner is " "; give a name and a contact/,
  )
})
