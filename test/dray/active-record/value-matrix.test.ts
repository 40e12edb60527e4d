import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { closeDatabases } from 'dray/internal/active-record/database.ts'
import {
  type CarriedType,
  carryTypes,
  declarableTypes,
  fillTypes,
  kindsFor,
  refusedTypes,
  TYPES_OF,
} from '#test/contracts/live-types.ts'
import { openValueDatabases, type ValueDatabase } from '#test/contracts/value-databases.ts'
import {
  carry,
  carryWide,
  fillSource,
  fillWideSource,
  type Outcome,
  PLACED,
  pairName,
} from '#test/contracts/value-matrix.ts'
import type { Engine } from '#test/contracts/values.ts'
import { type Harness, openHarness } from '#test/pipeline/harness.ts'
import { typesPage } from './types-page.ts'

const PAGE = new URL('../../../docs/types.md', import.meta.url)

const opened = await openValueDatabases()
const { databases } = opened
const withoutOne = opened.unavailable ?? false

function changes(pair: string, outcomes: ReadonlyMap<number, Outcome>): readonly string[] {
  return PLACED.flatMap(({ id, column, value }) => {
    const outcome = outcomes.get(id)
    return outcome?.kind === 'changed' ? [`${pair} ${column.title}, ${value.name}: ${outcome.message}`] : []
  })
}

describe('values of each engine in each other', () => {
  const outcomes = new Map<string, ReadonlyMap<number, Outcome>>()
  const types = new Map<Engine, readonly CarriedType[]>()
  const pairs = databases.flatMap((source) => databases.map((target) => ({ source, target })))
  let harness: Harness

  before(async () => {
    harness = await openHarness()
    for (const source of databases) {
      await fillSource(source)
      await fillWideSource(source)
      await fillTypes(source)
    }
  })
  after(async () => {
    await closeDatabases()
    await Promise.all(databases.map((one) => one.close()))
    await harness.close()
  })

  for (const { source, target } of pairs) {
    const pair = pairName(source.engine, target.engine)

    test(`${pair}: each value survives or is quarantined with the reason`, async () => {
      const carried = await carry(source, target, harness)

      outcomes.set(pair, carried)
      assert.deepEqual(changes(pair, carried), [])
      assert.ok([...carried.values()].filter(({ kind }) => kind === 'survives').length > 50)
    })

    test(`${pair}: composite keys, 500 columns, odd column names and empty tables survive`, async () => {
      const { wide, bare, before, after, empty } = await carryWide(source, target, harness)

      assert.equal(wide.inserted, 3)
      assert.equal(before.length, 3)
      assert.deepEqual(after, before)
      assert.equal(bare.read, 0)
      assert.deepEqual(empty, [])
    })
  }

  for (const database of databases) {
    const { engine } = database

    test(`${engine}: the extreme values of a type come through as they were, by each field that may be declared`, async () => {
      const carried = await carryTypes(database, harness)

      types.set(engine, carried)
      assert.deepEqual(changedTypes(carried), [])
      const fits = carried.filter(({ type, kind }) => kindsFor(engine, type)[0] === kind)
      assert.deepEqual(
        fits.filter(({ quarantined }) => quarantined.size > 0).map(({ type, quarantined }) => [type, [...quarantined]]),
        ZERO_DATES[engine] ?? [],
      )
    })

    test(`${engine}: any other field is refused with the one that fits`, async () => {
      const refused = await refusedTypes(database)

      assert.ok(engine === 'sqlite' || refused.length > 100)
      if (engine === 'sqlite') return
      for (const { type, kind, fit, said } of refused) {
        assert.match(said, new RegExp(`the model says ${kind}; declare the field .* as ${fit}\\(`), `${type} ${kind}`)
      }
    })

    test(`${engine}: every type that a column can have is tried`, async () => {
      const sizeless = (type: string) => type.replace(/\(.*?\)/s, '')
      const tried = new Set(Object.keys(TYPES_OF[engine]).map(sizeless))

      const declarable = await declarableTypes(database)

      assert.deepEqual(
        declarable.filter((type) => !tried.has(type)),
        [],
      )
    })
  }

  for (const engine of ['mariadb', 'mysql'] as const) {
    const target = databases.find((database) => database.engine === engine)
    test(`the outcomes are the same where ${engine} takes no files`, { skip: target === undefined }, async () => {
      await target?.run('SET GLOBAL local_infile = 0')
      await closeDatabases()

      const inserted = await carryTypes(target as ValueDatabase, harness, 'live_inserted')
      assert.deepEqual(changedTypes(inserted), [])
      assert.deepEqual(quarantinedTypes(inserted), quarantinedTypes(types.get(engine) ?? []))

      for (const source of databases) {
        const pair = pairName(source.engine, engine)
        const carried = await carry(source, target as ValueDatabase, harness, {
          into: `val_inserted_from_${source.engine}`,
        })

        assert.deepEqual(changes(pair, carried), [])
        assert.deepEqual(kinds(carried), kinds(outcomes.get(pair) as ReadonlyMap<number, Outcome>), pair)
      }
    })
  }

  test('docs/types.md says what becomes of each value', { skip: withoutOne }, async () => {
    const page = typesPage(outcomes, types, new Map(databases.map(({ engine, settings }) => [engine, settings])))
    if (process.env.UPDATE_DOCS === '1') await writeFile(PAGE, page)

    const published = await readFile(PAGE, 'utf8').catch(() => '')

    assert.equal(published, page, 'run this test with UPDATE_DOCS=1 and look at what has changed')
  })
})

/** No day of the calendar. */
const ZERO_DATES: Partial<Record<Engine, unknown>> = {
  mariadb: [
    ['date', [["'0000-00-00'", 'invalid_date']]],
    ['datetime(6)', [["'0000-00-00'", 'invalid_timestamp']]],
  ],
  mysql: [
    ['date', [["'0000-00-00'", 'invalid_date']]],
    ['datetime(6)', [["'0000-00-00'", 'invalid_timestamp']]],
  ],
}

function changedTypes(carried: readonly CarriedType[]): readonly string[] {
  return carried.flatMap(({ type, kind, changed }) => changed.map((value) => `${type} ${kind}: ${value}`))
}

function quarantinedTypes(carried: readonly CarriedType[]): readonly string[] {
  return carried.flatMap(({ type, kind, quarantined }) =>
    [...quarantined.keys()].map((value) => `${type} ${kind}: ${value}`),
  )
}

function kinds(outcomes: ReadonlyMap<number, Outcome>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    PLACED.map(({ id, column, value }) => [`${column.title}, ${value.name}`, outcomes.get(id)?.kind ?? '']),
  )
}
