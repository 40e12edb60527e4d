import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { closeDatabases } from 'dray/internal/active-record/database.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import fc from 'fast-check'
import { openValueDatabases, type ValueDatabase } from '#test/contracts/value-databases.ts'
import { ENGINES, type Engine } from '#test/contracts/values.ts'
import { type Harness, openHarness, quarantined } from '#test/pipeline/harness.ts'
import { type HostileTable, hostileTable, shown, type Zones } from './hostile-table.ts'
import { assertFaultless, nameOf, oneKeys, type Row, rowsOf, unread } from './judge.ts'
import { makeTarget, POLICY, pipelineOf, runOnce, SourceTable, SPELLED, UNORDERED } from './run-table.ts'
import { asMade, createTarget, prepareTargets, putUpon, targetName, writesTo } from './target-table.ts'

/*
 * Random tables are carried from each engine into each other by real stages, several runs with changes between, and
 * judged by SQL of this test. `DRAY_TABLES` is how many there are in all, `DRAY_SEED` where they begin; `DRAY_PAIR` is
 * one pair, `sqlite>mysql`.
 */
const TABLES = Number(process.env.DRAY_TABLES ?? 240)
const SEED = Number(process.env.DRAY_SEED ?? 1)
/** Until what was stamped last has been read: two seconds and a little. */
const MOST_ROUNDS = 40
const PATH = process.env.DRAY_PATH
/** Not made smaller: another fault may be met on the way. */
const IS_WHOLE = process.env.DRAY_WHOLE === '1'

const opened = await openValueDatabases()
const databaseOf = (engine: Engine) => opened.databases.find((one) => one.engine === engine)
const pairs = ENGINES.flatMap((from) => ENGINES.map((into) => ({ from, into, name: `${from}>${into}` }))).filter(
  ({ name }) => (process.env.DRAY_PAIR ?? name) === name,
)

/** Types and collations that tables are made of. */
const TYPES = [
  'create extension if not exists citext',
  "create collation if not exists insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
  'create domain words as text check (length(value) < 41)',
  'create domain number as bigint check (value > -40000)',
]

describe('a hostile table', () => {
  let harness: Harness
  let count = 0

  before(async () => {
    harness = await openHarness()
    for (const database of opened.databases) {
      if (database.engine === 'postgres') for (const sql of TYPES) await database.run(sql)
      if (database.engine === 'sqlite') await database.run('PRAGMA synchronous = OFF')
      await prepareTargets(database)
    }
  })
  after(async () => {
    await closeDatabases()
    await Promise.all(opened.databases.map((one) => one.close()))
    await harness.close()
  })

  for (const { from, into, name } of pairs) {
    const [source, target] = [databaseOf(from), databaseOf(into)]
    const skip = source === undefined || target === undefined ? (opened.unavailable ?? true) : false
    test(`of ${from} is in ${into} or the quarantine, whatever it is`, { skip }, async () => {
      if (source === undefined || target === undefined) return
      const tables = hostileTable(from, into).map((table) => ({
        ...table,
        [fc.toStringMethod]: () => shown(table),
      }))
      const property = fc.asyncProperty(tables, (table) => carry(table, source, target))
      const numRuns = Math.max(1, Math.ceil(TABLES / 16))
      // The first one that fails is told; it is made smaller when it is repeated.
      const again = PATH === undefined ? { endOnFailure: true } : { path: PATH, endOnFailure: IS_WHOLE }
      const details = await fc.check(property, { seed: SEED, numRuns, ...again })

      if (!details.failed) return
      const command = `DRAY_SEED=${details.seed} DRAY_PATH=${details.counterexamplePath} DRAY_PAIR='${name}' npm run test:long -- hostile-tables`
      const { stack } = details.errorInstance as Error
      assert.fail(`${fc.defaultReportMessage(details)}\n${stack}\nRepeat it: ${command}`)
    })
  }

  async function carry(table: HostileTable, from: ValueDatabase, into: ValueDatabase): Promise<void> {
    const rows = new SourceTable(from, table)
    const name = `hostile-${++count}`
    try {
      await setZones(table, from, into)
      await rows.create()
      const made = pipelineOf(name, table, from, into)
      const isMade = table.isMade && (await makeTarget(made))
      if (!isMade) await createTarget(into, table)
      const of = isMade ? made : pipelineOf(name, { ...table, isMade }, from, into)
      await putUpon(into, table)
      await runAll(of, isMade ? asMade(table, into) : table, rows, from, into)
    } finally {
      await from.run(`DROP TABLE IF EXISTS ${from.quote(table.table)}`)
      await into.run(`DROP TABLE IF EXISTS ${into.quote(targetName(table))}`)
      // Another pipeline may write the next table of this name.
      await into.run('DELETE FROM dray_fence').catch(() => {})
      await setZones({ ...table, zones: table.zones === null ? null : NEW_YORK }, from, into)
    }
  }

  async function runAll(
    of: ReturnType<typeof pipelineOf>,
    table: HostileTable,
    rows: SourceTable,
    from: ValueDatabase,
    into: ValueDatabase,
  ) {
    const { name } = of
    const all: QuarantinedRow[] = []
    const landedBefore = new Set<string>()
    const note = (target: readonly Row[]) => {
      for (const row of target) if (row.isCurrent) landedBefore.add(nameOf(row))
    }
    for (const [index, phase] of table.phases.entries()) {
      await rows.change(phase)
      const last: QuarantinedRow[] = []
      let wasStopped = false
      // What was stamped in the moment before a run, or beside a transaction that is open, waits for the next one.
      for (let round = 0; ; round++) {
        const id = `${name}-${index}-${round}`
        const done = await runOnce(of, id, `2024-06-${10 + index}T00:00:${10 + round}.000Z`, harness)
        // For two spellings of a key in two partitions: the next run knows them.
        const isStopped = 'refused' in done && table.way !== 'replace' && SPELLED.test(done.refused.message)
        if (isStopped && !wasStopped) {
          wasStopped = true
          continue
        }
        if ('refused' in done) return assertLegitimate(table, done.refused)
        last.push(...(await quarantined(harness, id, name)))
        const both = { source: await rowsOf(from, table, false), target: await rowsOf(into, table, true) }
        const judged = {
          table,
          ...both,
          isOneKey: await oneKeys({ from, into }, table, both),
          quarantined: [...all, ...last],
          lastQuarantined: last,
          plain: rows.plain,
          landedBefore,
        }
        if (!table.isIncremental || round === MOST_ROUNDS || unread(judged).length === 0) {
          assertFaultless(judged)
          await assertStill(of, table, { index, round: round + 1 }, into)
          break
        }
        note(judged.target)
        await delay(100)
      }
      note(await rowsOf(into, table, true))
      all.push(...last)
    }
  }

  /** A run that finds nothing new writes nothing. */
  async function assertStill(
    of: ReturnType<typeof pipelineOf>,
    table: HostileTable,
    { index, round }: { readonly index: number; readonly round: number },
    into: ValueDatabase,
  ): Promise<void> {
    if (table.way === 'replace' || !table.isLookedAtAgain) return
    const before = await writesTo(into, table)
    const id = `${of.name}-${index}-${round}`
    const done = await runOnce(of, id, `2024-06-${10 + index}T00:01:${10 + round}.000Z`, harness)
    assert.ok(!('refused' in done))
    assert.deepEqual(
      { inserted: done.inserted, updated: done.updated, writes: await writesTo(into, table) },
      { inserted: 0, updated: 0, writes: before },
      'a second run, of the same rows',
    )
  }
})

/** The zones that the servers of this test begin with. */
const NEW_YORK: Zones = { postgres: 'America/New_York', mysql: '+05:30' }

/** Sessions that are opened from now on are in these zones, unless they say otherwise. */
async function setZones({ zones }: HostileTable, ...databases: readonly ValueDatabase[]): Promise<void> {
  if (zones === null) return
  for (const database of new Set(databases)) {
    if (database.engine === 'postgres')
      await database.run(
        `do $$begin execute format('alter database %I set timezone = %L', current_database(), '${zones.postgres}'); end$$`,
      )
    else if (database.engine !== 'sqlite') await database.run(`SET GLOBAL time_zone = '${zones.mysql}'`)
  }
  await closeDatabases()
}

/** Why a table may be refused. */
function assertLegitimate(table: HostileTable, refused: Error): void {
  // A user who is shown some of the rows alone would take the others for gone.
  if (table.nuisance === 'policy' && POLICY.test(refused.message)) return
  if (table.keys.some(({ kind }) => ['boolean', 'moment'].includes(kind.form)) && UNORDERED.test(refused.message))
    return
  // Rows of two spellings that are one in the target, from two partitions: which is right is the user's to say.
  if (table.way === 'replace' && SPELLED.test(refused.message)) return
  assert.fail(`refused: ${refused.name}: ${refused.message}`)
}
