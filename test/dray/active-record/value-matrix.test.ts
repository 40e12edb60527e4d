import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { closeDatabases } from 'dray/internal/active-record/database.ts'
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
  const pairs = databases.flatMap((source) => databases.map((target) => ({ source, target })))
  let harness: Harness

  before(async () => {
    harness = await openHarness()
    for (const source of databases) {
      await fillSource(source)
      await fillWideSource(source)
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

  for (const engine of ['mariadb', 'mysql'] as const) {
    const target = databases.find((database) => database.engine === engine)
    test(`the outcomes are the same where ${engine} takes no files`, { skip: target === undefined }, async () => {
      await target?.run('SET GLOBAL local_infile = 0')
      await closeDatabases()

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
    const page = typesPage(outcomes, new Map(databases.map(({ engine, settings }) => [engine, settings])))
    if (process.env.UPDATE_DOCS === '1') await writeFile(PAGE, page)

    const published = await readFile(PAGE, 'utf8').catch(() => '')

    assert.equal(published, page, 'run this test with UPDATE_DOCS=1 and look at what has changed')
  })
})

function kinds(outcomes: ReadonlyMap<number, Outcome>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    PLACED.map(({ id, column, value }) => [`${column.title}, ${value.name}`, outcomes.get(id)?.kind ?? '']),
  )
}
