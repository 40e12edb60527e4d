import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { closeDatabases, Database } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { type ReplicaOptions, replicate } from 'dray/internal/pipeline/declare/replica.ts'
import { batchPrefix } from 'dray/internal/staging/keys.ts'
import { openValueDatabases, type ValueDatabase } from '#test/contracts/value-databases.ts'
import type { Engine } from '#test/contracts/values.ts'
import { type Harness, openHarness, quarantined } from '../harness.ts'
import { runReplica } from '../replica-run.ts'
import { BUILT_IN, OTHERWISE } from './built-in-types.ts'
import { DRIFTS } from './drifts.ts'
import { MADE_BEFORE } from './made-before.ts'
import { digestsIn, makeTyped, typesIn } from './typed-table.ts'

const { databases } = await openValueDatabases()

function bound(name: string, { url }: ValueDatabase): Database {
  process.env[urlVariable(name)] = url
  return new Database(name)
}

const isOther = (engine: Engine, type: string) => engine !== 'postgres' && type in OTHERWISE

describe('the types of copies within one engine', () => {
  let harness: Harness

  before(async () => {
    harness = await openHarness()
  })
  after(async () => {
    await closeDatabases()
    await Promise.all(databases.map((one) => one.close()))
    await harness.close()
  })

  const copying = (named: string, table: string, database: ValueDatabase, options: Partial<ReplicaOptions> = {}) =>
    replicate(named, {
      from: bound(`from-${named}`, database),
      into: bound(`into-${named}`, database),
      tables: [table],
      name: ({ name }) => `copy_${name}`,
      ...options,
    })

  const refused = async (id: string, step: string) =>
    (await quarantined(harness, id, step)).flatMap(({ errors }) => errors)
  const areTransformed = async (run: string, pipeline: string) =>
    (await harness.services.staging.list(batchPrefix('transformed', { run, pipeline, partition: 0 }))).length > 0

  for (const database of databases) {
    const { engine } = database

    test(`${engine}: every built-in type is the source's own, its extreme values are equal, and rows pass as bytes`, async () => {
      const types = Object.fromEntries(Object.entries(BUILT_IN[engine]).filter(([type]) => !isOther(engine, type)))
      const names = await makeTyped(database, 'typed', types)
      const inLatin = names.filter((_, place) => /character set/.test(Object.keys(types)[place] ?? ''))
      const named = `typed-${engine}`
      const replica = copying(named, 'typed', database)

      const first = await runReplica(replica, `${named}-1`, harness.services)
      const again = await runReplica(replica, `${named}-2`, harness.services)

      assert.deepEqual([first.error, await refused(`${named}-1`, `${named}/typed`)], [null, []])
      assert.equal(await areTransformed(`${named}-1`, `${named}/typed`), engine === 'sqlite')
      assert.deepEqual(await typesIn(database, 'copy_typed'), await typesIn(database, 'typed'))
      assert.deepEqual(
        await digestsIn(database, 'copy_typed', names, inLatin),
        await digestsIn(database, 'typed', names, inLatin),
      )
      const { read, unchanged, notes } = again.steps.get(`${named}/typed`) ?? {}
      assert.deepEqual([unchanged, notes], [read, null])
    })

    test(`${engine}: the same values are equal where a masked column has each row looked at`, async () => {
      const { '': _, INT: __, ...types } = BUILT_IN[engine]
      const names = await makeTyped(database, 'masked', { ...types, 'varchar(9)': ["'secret'"] })
      const inLatin = names.filter((_, place) => /character set/.test(Object.keys(types)[place] ?? ''))
      const last = names.at(-1) as string
      const named = `masked-${engine}`
      const mask = { overrides: { masked: { mask: { [last]: 'hash' } } }, maskKey: () => 'k' } as const

      const first = await runReplica(copying(named, 'masked', database, mask), `${named}-1`, harness.services)

      assert.deepEqual([first.error, await refused(`${named}-1`, `${named}/masked`)], [null, []])
      assert.equal(await areTransformed(`${named}-1`, `${named}/masked`), true)
      const others = names.slice(0, -1)
      assert.deepEqual(
        await digestsIn(database, 'copy_masked', others, inLatin),
        await digestsIn(database, 'masked', others, inLatin),
      )
    })

    test(`${engine}: a type that the copy could not fill from texts is another one, which holds its values`, async () => {
      const types = Object.fromEntries(Object.entries(BUILT_IN[engine]).filter(([type]) => isOther(engine, type)))
      if (Object.keys(types).length === 0) return
      const names = await makeTyped(database, 'odd', types)
      const named = `odd-${engine}`

      const first = await runReplica(copying(named, 'odd', database), `${named}-1`, harness.services)

      assert.deepEqual([first.error, await refused(`${named}-1`, `${named}/odd`)], [null, []])
      const { id: _, ...found } = await typesIn(database, 'copy_odd')
      assert.deepEqual(
        names.map((name) => found[name]),
        Object.keys(types).map((type) => OTHERWISE[type]),
      )
      const texts = async (table: string) =>
        (await database.rows(`select ${names.join(', ')} from ${table} order by id`)).map((row) => row.map(String))
      assert.deepEqual(await texts('copy_odd'), await texts('odd'))
    })

    test(`${engine}: a copy that was made with other types goes on as it was`, async () => {
      const pairs = MADE_BEFORE[engine]
      const types = Object.fromEntries(pairs.map(({ type, values }) => [type, values]))
      const names = await makeTyped(database, 'older', types)
      const columns = names.map((name, place) => `${name} ${pairs[place]?.made}`)
      await database.run(
        `create table copy_older (id ${engine === 'sqlite' ? 'integer' : 'bigint'} not null primary key, ${columns.join(', ')})`,
      )
      const before = await typesIn(database, 'copy_older')
      const named = `older-${engine}`

      const first = await runReplica(copying(named, 'older', database), `${named}-1`, harness.services)
      const again = await runReplica(copying(named, 'older', database), `${named}-2`, harness.services)

      assert.deepEqual([first.error, await refused(`${named}-1`, `${named}/older`)], [null, []])
      assert.deepEqual(await typesIn(database, 'copy_older'), before)
      for (const [place, { text }] of pairs.entries()) {
        const column = `c${place}`
        const plain = (table: string) => database.rows(`select ${text(column)} from ${table} order by id`)
        assert.deepEqual([pairs[place]?.type, await plain('copy_older')], [pairs[place]?.type, await plain('older')])
      }
      const steps = [first, again].map(({ steps }) => steps.get(`${named}/older`))
      assert.deepEqual(
        steps.map((step) => [step?.notes, step?.quarantined]),
        [
          [null, 0],
          [null, 0],
        ],
      )
      assert.equal(steps[1]?.unchanged, steps[1]?.read)
    })

    if (DRIFTS[engine].length === 0) continue
    test(`${engine}: a type that has changed is followed, said with its statement, or let be`, async () => {
      const drifts = DRIFTS[engine]
      const named = `drifts-${engine}`
      await makeTyped(database, 'drifted', Object.fromEntries(drifts.map(({ from, values }) => [from, values])))
      const replica = copying(named, 'drifted', database)
      await runReplica(replica, `${named}-1`, harness.services)
      for (const [place, { to }] of drifts.entries()) {
        for (const sql of to(`c${place}`)) await database.run(sql)
      }
      const set = drifts.map(({ later }, place) => `c${place} = ${later}`).join(', ')
      await database.run(`update drifted set ${set} where id = 0`)

      const second = await runReplica(replica, `${named}-2`, harness.services)
      const notes = second.steps.get(`${named}/drifted`)?.notes ?? []
      const saidOf = (column: string) => notes.filter((note) => new RegExp(`\\b${column}\\b`).test(note))
      const became = drifts.map(({ from }, place) => {
        const [note] = saidOf(`c${place}`)
        const said = note === undefined ? 'let be' : /Run `/.test(note) ? 'said' : 'followed'
        return [from, said]
      })
      for (const note of notes) {
        const statement = /Run `(alter table .+)` on/.exec(note)?.[1]
        if (statement !== undefined) await database.run(statement)
      }
      const third = await runReplica(replica, `${named}-3`, harness.services)

      assert.deepEqual(
        became,
        drifts.map(({ from, becomes }) => [from, becomes]),
      )
      assert.deepEqual(
        [
          third.error,
          await refused(`${named}-3`, `${named}/drifted`),
          third.steps.get(`${named}/drifted`)?.notes ?? [],
        ],
        [null, [], []],
      )
      const types = await typesIn(database, 'copy_drifted')
      assert.deepEqual(
        drifts.map(({ from }, place) => [from, types[`c${place}`]?.replace('bigint(20)', 'bigint')]),
        drifts.map(({ from, has }) => [from, has]),
      )
      const names = drifts.map((_, place) => `c${place}`)
      assert.deepEqual(await digestsIn(database, 'copy_drifted', names), await digestsIn(database, 'drifted', names))
    })
  }

  test('a type whose values are of another kind is said with its statement, and what does not fit is kept', async () => {
    const database = databases.find(({ engine }) => engine === 'postgres') as ValueDatabase
    await makeTyped(database, 'turned', { inet: ["'10.0.0.1'"] })
    const replica = copying('turned-postgres', 'turned', database)
    await runReplica(replica, 'turned-1', harness.services)
    await database.run("alter table turned alter column c0 type interval using '2 days'")

    const second = await runReplica(replica, 'turned-2', harness.services)

    const { notes, quarantined: kept } = second.steps.get('turned-postgres/turned') ?? {}
    assert.match(notes?.join() ?? '', /Run `alter table "copy_turned" alter column "c0" type interval using .+` on/)
    assert.equal(kept, 2)
    assert.deepEqual(await database.rows('select c0::text from copy_turned order by id'), [['10.0.0.1/32'], [null]])
  })
})
