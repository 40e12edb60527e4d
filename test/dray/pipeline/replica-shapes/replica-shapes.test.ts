import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { closeDatabases, Database } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { tableText } from 'dray/internal/database/table-name.ts'
import { type Replica, replicate } from 'dray/internal/pipeline/declare/replica.ts'
import { openSqlite, openValueDatabases, type ValueDatabase } from '#test/contracts/value-databases.ts'
import { long } from '#test/long.ts'
import { type Harness, openHarness } from '../harness.ts'
import { type ReplicaRun, runReplica } from '../replica-run.ts'
import { changeShape, digestsOf, makeShape, type Shape, shapesOf, unlikeColumns } from './shapes.ts'

const { databases, unavailable } = await openValueDatabases()
/** Each source and each target, one of them of one engine; all pairs by hand. */
const SHORT = ['postgres mysql', 'mariadb postgres', 'sqlite sqlite']
/**
 * Another file than that of the source: while rows are written into this, nobody can say who else writes there, and
 * rows of now wait for five minutes.
 */
const beside = await openSqlite()
const pairs = databases
  .flatMap((source) =>
    databases
      .filter(({ engine }) => engine !== 'mariadb')
      .map((one) => ({ source, target: one.engine === 'sqlite' ? beside : one })),
  )
  .filter(({ source, target }) => long || SHORT.includes(`${source.engine} ${target.engine}`))
/** Those that take over 320 tables by hand: each source, and each target; the others 40, one of a million rows. */
const WHOLE = ['postgres mysql', 'mariadb postgres', 'mysql sqlite', 'sqlite mysql']

function bound(name: string, { url }: ValueDatabase): Database {
  process.env[urlVariable(name)] = url
  return new Database(name)
}

/** The table of a shape in the target of a source, as its SQL names it. */
function placed({ engine, quote }: ValueDatabase, prefix: string, { table }: Shape): string {
  const name = `${prefix}${table}`
  return engine === 'mysql' && name.length > 64 ? quote(name) : quote(name)
}

describe('a replica of 40 shapes', { skip: unavailable ?? false }, () => {
  let harness: Harness
  /** How often the tables of a source were changed; none before they are made. */
  const rounds = new Map<string, number>()

  before(async () => {
    harness = await openHarness()
  })
  after(async () => {
    await closeDatabases()
    await Promise.all([...databases, beside].map((one) => one.close()))
    await harness.close()
  })

  for (const { source, target } of pairs) {
    const prefix = `${source.engine[0]}${source.engine[1]}_`
    const all = shapesOf(source.engine)
    const shapes = WHOLE.includes(`${source.engine} ${target.engine}`) ? all : all.filter(({ isCopy }) => !isCopy)
    const named = `shapes-${source.engine}-${target.engine}`

    function replica(): Replica {
      return replicate(named, {
        from: bound(`from-${named}`, source),
        into: bound(`into-${named}`, target),
        tables: shapes.map(({ table }) => tableText({ schema: null, name: table })),
        name: ({ name }) => tableText({ schema: null, name: `${prefix}${name}` }),
        cursor: ['updated_at', 'modified_at'],
        deletes: 'hard',
        maxConnections: 16,
      })
    }

    async function assertEqual(run: ReplicaRun): Promise<void> {
      const unlike: string[] = []
      for (const shape of shapes) {
        const there = await digestsOf(source, source.quote(shape.table), shape)
        const here = await digestsOf(target, placed(target, prefix, shape), shape).catch((error) => [String(error)])
        const step = run.steps.get(`${named}/${tableText({ schema: null, name: shape.table })}`)
        if (there.join() === here.join()) continue
        const said = await unlikeColumns(source, target, placed(target, prefix, shape), shape).catch(String)
        const why = `${step?.status} ${step?.error ?? ''}, ${step?.quarantined} in the quarantine`
        unlike.push(`${shape.table}: ${here.length} of ${there.length} rows (${why}): ${said}`)
      }
      assert.deepEqual(unlike, [])
    }

    test(`${source.engine} → ${target.engine}: equal by digests of the databases, then again, then after changes`, async () => {
      const { services } = harness
      if (!rounds.has(source.engine)) for (const shape of all) await makeShape(source, shape)
      rounds.set(source.engine, rounds.get(source.engine) ?? 0)
      const first = await runReplica(replica(), `${named}-1`, services)
      await assertEqual(first)
      assert.deepEqual([first.status, first.error], ['SUCCEEDED', null])

      const again = await runReplica(replica(), `${named}-2`, services)
      const own = again.steps.get(named)
      // Of a table without a key all rows are replaced.
      const keyless = shapes.filter(({ key, unique }) => key.length + unique.length === 0)
      const counts = keyless.map(({ table }) => again.steps.get(`${named}/${table}`)?.read ?? 0)
      const keylessRows = counts.reduce((sum, rows) => sum + rows, 0)
      assert.deepEqual([again.status, own?.inserted, own?.updated, own?.quarantined], ['SUCCEEDED', keylessRows, 0, 0])

      const round = rounds.get(source.engine) ?? 0
      for (const shape of shapes) await changeShape(source, shape, round)
      rounds.set(source.engine, round + 1)
      // A run reads what is two seconds old.
      await delay(2_500)
      const third = await runReplica(replica(), `${named}-3`, services)
      assert.equal(third.error, null)
      await assertEqual(third)
    })
  }
})
