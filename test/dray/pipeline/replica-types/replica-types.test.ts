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
import { BUILT_IN, OF_BOTH, OTHERWISE } from './built-in-types.ts'
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
      await makeTyped(database, 'typed', types)
      const named = `typed-${engine}`
      const replica = copying(named, 'typed', database)

      const first = await runReplica(replica, `${named}-1`, harness.services)
      const again = await runReplica(replica, `${named}-2`, harness.services)

      assert.deepEqual([first.error, await refused(`${named}-1`, `${named}/typed`)], [null, []])
      assert.equal(await areTransformed(`${named}-1`, `${named}/typed`), engine === 'sqlite')
      assert.deepEqual(await typesIn(database, 'copy_typed'), await typesIn(database, 'typed'))
      assert.deepEqual(
        await digestsIn(database, 'copy_typed', Object.keys(types)),
        await digestsIn(database, 'typed', Object.keys(types)),
      )
      const { read, unchanged, notes } = again.steps.get(`${named}/typed`) ?? {}
      assert.deepEqual([unchanged, notes], [read, null])
    })

    test(`${engine}: the same values are equal where a masked column has each row looked at`, async () => {
      const { '': _, INT: __, ...types } = BUILT_IN[engine]
      const names = await makeTyped(database, 'masked', { ...types, 'varchar(9)': ["'secret'"] })
      const last = names.at(-1) as string
      const named = `masked-${engine}`
      const mask = { overrides: { masked: { mask: { [last]: 'hash' } } }, maskKey: () => 'k' } as const

      const first = await runReplica(copying(named, 'masked', database, mask), `${named}-1`, harness.services)

      assert.deepEqual([first.error, await refused(`${named}-1`, `${named}/masked`)], [null, []])
      assert.equal(await areTransformed(`${named}-1`, `${named}/masked`), true)
      assert.deepEqual(
        await digestsIn(database, 'copy_masked', Object.keys(types)),
        await digestsIn(database, 'masked', Object.keys(types)),
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
      const declared = drifts.map(({ from }) => from)
      assert.deepEqual(
        drifts.map(({ from }, place) => [from, types[`c${place}`]?.replace('bigint(20)', 'bigint')]),
        drifts.map(({ from, has }) => [from, has]),
      )
      assert.deepEqual(
        await digestsIn(database, 'copy_drifted', declared),
        await digestsIn(database, 'drifted', declared),
      )
    })
  }

  const among = (engine: Engine) => databases.find((one) => one.engine === engine)
  const across = (named: string, table: string, from: ValueDatabase, into: ValueDatabase) =>
    replicate(named, {
      from: bound(`from-${named}`, from),
      into: bound(`into-${named}`, into),
      tables: [table],
      name: ({ name }) => `${from.engine}_${name}`,
    })
  const pairsOf = (...pairs: readonly (readonly [Engine, Engine])[]) =>
    pairs.flatMap(([from, into]) => {
      const [source, target] = [among(from), among(into)]
      return source === undefined || target === undefined ? [] : [{ source, target, named: `${from} → ${into}` }]
    })

  for (const { source, target, named } of pairsOf(['mariadb', 'mysql'], ['mysql', 'mariadb'])) {
    test(`${named}: a copy has the types that both have, whatever width is shown`, async () => {
      const types = Object.fromEntries(Object.entries(OF_BOTH).filter(([type]) => !isOther('mysql', type)))
      await makeTyped(source, 'shared', types)
      const id = `shared-${source.engine}-${target.engine}`

      const first = await runReplica(across(id, 'shared', source, target), `${id}-1`, harness.services)

      const copy = `${source.engine}_shared`
      const plain = (found: Record<string, string>) =>
        Object.fromEntries(
          Object.entries(found).map(([name, type]) => [name, type.replace(/^(\w*int|year)\((?!1\))\d+\)/, '$1')]),
        )
      assert.deepEqual([first.error, await refused(`${id}-1`, `${id}/shared`)], [null, []])
      assert.deepEqual(plain(await typesIn(target, copy)), plain(await typesIn(source, 'shared')))
      assert.equal(await areTransformed(`${id}-1`, `${id}/shared`), false)
      assert.deepEqual(
        await digestsIn(target, copy, Object.keys(types)),
        await digestsIn(source, 'shared', Object.keys(types)),
      )
    })
  }

  const unlike = pairsOf(['postgres', 'mariadb'], ['postgres', 'mysql'], ['mariadb', 'postgres'], ['mysql', 'sqlite'])
  for (const { source, target, named } of unlike) {
    test(`${named}: rows pass as bytes where each column is written alike, and only there`, async () => {
      const id = `alike-${source.engine}-${target.engine}`
      const bytes = source.engine === 'postgres' ? 'bytea' : 'blob'
      const columns = `id bigint not null primary key, n decimal(12,3), t varchar(20), b ${bytes}${target.engine === 'sqlite' ? '' : ', d date, f double precision'}`
      const values = target.engine === 'sqlite' ? '' : ", '2024-02-29', 0.1"
      const name = `alike_${target.engine}`
      await source.run(`create table ${name} (${columns})`)
      await source.run(`insert into ${name} values (1, -1.500, 'ä 😀', 'x'${values})`)
      await source.run(`create table un${name} (id bigint not null primary key, at timestamp null, is_on boolean)`)
      await source.run(`insert into un${name} values (1, '2024-01-01 10:00:00', true)`)
      const of = (table: string) => table.replace('_', '-')
      const run = (table: string) =>
        runReplica(across(`${id}-${of(table)}`, table, source, target), `${id}-${table}`, harness.services)

      const alike = await run(name)
      const other = await run(`un${name}`)

      assert.deepEqual([alike.error, other.error], [null, null])
      const isMadeBy = (table: string) => areTransformed(`${id}-${table}`, `${id}-${of(table)}/${table}`)
      // A boolean of MySQL is a number.
      const isNumber = source.engine !== 'postgres' && target.engine !== 'sqlite'
      assert.deepEqual([await isMadeBy(name), await isMadeBy(`un${name}`)], [false, !isNumber])
      const [row] = await target.rows(`select n, t, b from ${source.engine}_${name}`)
      assert.deepEqual(
        [
          Number(row?.[0]),
          row?.[1],
          Buffer.from(row?.[2] as never)
            .toString()
            .replace('\\x78', 'x'),
        ],
        [-1.5, 'ä 😀', 'x'],
      )
    })
  }

  const keyed = pairsOf(
    ['postgres', 'mysql'],
    ['postgres', 'mariadb'],
    ['mysql', 'mysql'],
    ['mariadb', 'mariadb'],
    ['sqlite', 'mariadb'],
  )
  for (const { source, target, named } of keyed) {
    test(`${named}: texts that are two keys at the source are two in the copy`, async () => {
      const collation = { mysql: 'utf8mb4_0900_bin', mariadb: 'utf8mb4_nopad_bin', postgres: '"C"', sqlite: 'binary' }
      const table = `keyed_${target.engine}`
      await source.run(
        `create table ${table} (code varchar(20) collate ${collation[source.engine]} not null primary key)`,
      )
      await source.run(`insert into ${table} values ('a'), ('a '), ('A'), ('ä'), (' a')`)
      const id = `keyed-${source.engine}-${target.engine}`

      const first = await runReplica(across(id, table, source, target), `${id}-1`, harness.services)

      assert.deepEqual([first.error, await refused(`${id}-1`, `${id}/${table}`)], [null, []])
      const copied = `select count(*), count(distinct code) from ${source.engine}_${table}`
      assert.deepEqual((await target.rows(copied)).flat().map(Number), [5, 5])
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
