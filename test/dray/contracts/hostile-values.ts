import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { closeDatabases, database } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { importCsv } from 'dray-infra/internal/local/csv/import.ts'
import { KINDS } from '#test/local/csv/kinds.ts'
import { type Harness, openHarness } from '#test/pipeline/harness.ts'
import type { HostileDatabase } from './hostile-databases.ts'
import type { Setting } from './hostile-settings.ts'
import { openSqlite, type ValueDatabase } from './value-databases.ts'
import { type Carriage, carry, fillSource, type Outcome, PLACED, type PlacedValue } from './value-matrix.ts'
import { type Speech, speechOf, VALUE_COLUMNS, type ValueColumn } from './values.ts'

/** Settings that are given together, and by what name a test calls them. */
export interface Given {
  readonly level: string
  readonly what: string
  readonly settings: readonly Setting[]
  /** Files of the world are imported, too. */
  readonly withFiles: boolean
}

/** Each by itself, by each level. */
export function alone(settings: readonly Setting[]) {
  return (levels: readonly string[]): readonly Given[] =>
    settings.flatMap((setting) =>
      levels.map((level) => ({
        level,
        what: `${setting.name} = ${setting.value}`,
        settings: [setting],
        withFiles: false,
      })),
    )
}

/** Rows without a value beside those of the matrix: enough for a COPY straight into the table. */
const FILLERS = 600
const FIRST_FILLER = 10_000
/** PostgreSQL binds so few rows instead of copying them. */
const FEW_ROWS = 300

const imported = database('hostile-import')

/** The ways on which values get into a table and out of it. */
const WAYS = [
  'from it into it',
  'from it',
  'into it',
  'into it, without files',
  'straight into it',
  'few rows into it',
] as const
type Way = (typeof WAYS)[number]

/** Types whose values are loaded without a temporary table. */
const PLAIN: Readonly<Record<Speech, RegExp>> = {
  postgres: /^((big|small)int|numeric|double|bool|text$|varchar|date|timestamp|uuid|json$|bytea)/,
  mysql: /^((big|tiny)int|decimal|longtext|varchar|date|timestamp)/,
  sqlite: /^/,
}

/**
 * Carries the values of the matrix from, into and within a database, on each way of loading, under settings that each
 * level gives to its sessions: nothing is changed in silence, and nothing is refused that is taken without them.
 */
export function valuesUnderSettings(
  open: () => Promise<HostileDatabase>,
  levels: readonly string[],
  given: (levels: readonly string[]) => readonly Given[],
): void {
  let hostile: HostileDatabase
  let sqlite: ValueDatabase
  let harness: Harness
  let tables = 0
  const calm = new Map<Way, ReadonlyMap<number, string>>()
  const accepted = new Set<string>()

  before(async () => {
    ;[hostile, sqlite, harness] = await Promise.all([open(), openSqlite(), openHarness()])
    assert.deepEqual(hostile.levels, levels)
    for (const source of [hostile, sqlite]) {
      await fillSource(source)
      const ids = Array.from({ length: FILLERS }, (_, index) => `(${FIRST_FILLER + index})`)
      await source.run(`INSERT INTO val (id) VALUES ${ids.join(', ')}`)
    }
    for (const way of WAYS) {
      if (way === 'straight into it') await takeApart()
      calm.set(way, kinds(await go(way)))
    }
  })
  after(async () => {
    await closeDatabases()
    await Promise.all([hostile?.close(), sqlite?.close(), harness?.close()])
  })

  async function go(way: Way): Promise<ReadonlyMap<number, Outcome>> {
    const source = way === 'into it' || way === 'into it, without files' ? sqlite : hostile
    const target = way === 'from it' ? sqlite : hostile
    const into = `val_${tables++}`
    const work = async () => {
      const outcomes = await carry(source, target, harness, { into, ...limitsOf(way) })
      await stillEmpty(
        target,
        into,
        limitsOf(way).columns ?? VALUE_COLUMNS.filter((column) => column.source[speechOf(source.engine)] !== undefined),
      )
      return outcomes
    }
    return way === 'into it, without files' ? withoutFiles(work) : work()
  }

  /** What is loaded straight are values that the columns take. */
  function limitsOf(way: Way): Carriage {
    if (way !== 'straight into it' && way !== 'few rows into it') return {}
    return {
      from: 'good',
      columns: plainColumns(),
      taken: isTaken,
      ...(way === 'few rows into it' ? { partitionRows: FEW_ROWS } : {}),
    }
  }

  function plainColumns(): readonly ValueColumn[] {
    const speech = speechOf(hostile.engine)
    return VALUE_COLUMNS.filter(
      ({ source, target }) => source[speech] !== undefined && PLAIN[speech].test(target[speech]),
    )
  }

  function isTaken({ id }: PlacedValue): boolean {
    return calm.get('from it into it')?.get(id) === 'survives'
  }

  /** A table of the values that columns of plain types take, which are loaded without a temporary table. */
  async function takeApart(): Promise<void> {
    const columns = plainColumns()
    const ids = PLACED.filter((placed) => columns.includes(placed.column) && isTaken(placed)).map(({ id }) => id)
    await hostile.run(`CREATE TABLE good ${hostile.engine === 'postgres' ? '(LIKE val INCLUDING ALL)' : 'LIKE val'}`)
    await hostile.run(`INSERT INTO good SELECT * FROM val WHERE id >= ${FIRST_FILLER} OR id IN (${ids.join(', ')})`)
  }

  /** NULL is NULL. */
  async function stillEmpty(target: ValueDatabase, table: string, columns: readonly ValueColumn[]): Promise<void> {
    const values = columns.map(({ name }) => target.quote(name)).join(', ')
    const [[all, empty] = []] = await target.rows(
      `SELECT COUNT(*), COUNT(CASE WHEN COALESCE(${values.replaceAll(/[^,]+/g, (name) => `CASE WHEN ${name} IS NOT NULL THEN 1 END`)}) IS NULL THEN 1 END)
       FROM ${table} WHERE id >= ${FIRST_FILLER}`,
    )
    assert.deepEqual([Number(all), Number(empty)], [FILLERS, FILLERS])
  }

  /** As on a server that takes no files from clients. */
  async function withoutFiles<T>(work: () => Promise<T>): Promise<T> {
    if (hostile.engine === 'postgres') return work()
    await hostile.run('SET GLOBAL local_infile = 0')
    await closeDatabases()
    try {
      return await work()
    } finally {
      await hostile.run('SET GLOBAL local_infile = 1')
      await closeDatabases()
    }
  }

  for (const { level, what, settings, withFiles } of given(levels)) {
    describe(`${what}, given by the ${level}`, () => {
      let taken: readonly Setting[] = []
      before(async () => {
        await closeDatabases()
        taken = await hostile.give(level, settings)
        for (const { name } of taken) accepted.add(name)
      })
      after(async () => {
        await closeDatabases()
        await hostile.takeBack()
      })

      for (const way of WAYS) {
        test(`changes no value: ${way}`, async (t) => {
          if (taken.length === 0) return t.skip('cannot be given so')
          const outcomes = await go(way)

          assert.deepEqual(
            [...outcomes].flatMap(([id, outcome]) =>
              outcome.kind === 'changed' ? [`${named(id)}: ${outcome.message}`] : [],
            ),
            [],
          )
          assert.deepEqual(kinds(outcomes), calm.get(way))
        })
      }

      if (!withFiles) return
      test('changes no value of a file that is imported', async (t) => {
        if (taken.length === 0) return t.skip('cannot be given so')
        process.env[urlVariable(imported.name)] = hostile.url
        for (const [index, { name, bytes, given: format = {}, said = {}, holds, refused }] of KINDS.entries()) {
          if (refused !== undefined || bytes.length > 100_000) continue
          const [table, file] = [`file_${tables++}`, join(harness.folder, `${index}.csv`)]
          await writeFile(file, bytes)

          await importCsv({ file, database: imported, table, given: format, ...said })

          const [header = [], ...rows] = holds ?? []
          assert.deepEqual(inOrder(await held(table, header as string[])), inOrder(rows), name)
        }
      })
    })
  }

  test('each setting has been given in some way', () => {
    const names = new Set(given(levels).flatMap(({ settings }) => settings.map(({ name }) => name)))
    assert.deepEqual(
      [...names].filter((name) => !accepted.has(name)),
      [],
    )
  })

  /** The rows of a table as texts. */
  function held(table: string, columns: readonly string[]): Promise<(string | null)[][]> {
    return hostile.rows(`SELECT ${columns.map((column) => hostile.quote(column)).join(', ')} FROM ${table}`)
  }
}

function named(id: number): string {
  const placed = PLACED.find((one) => one.id === id)
  return `${placed?.column.title}, ${placed?.value.name}`
}

function kinds(outcomes: ReadonlyMap<number, Outcome>): ReadonlyMap<number, string> {
  return new Map([...outcomes].map(([id, { kind }]) => [id, kind]))
}

function inOrder(rows: readonly (readonly (string | null)[])[]): (string | null)[][] {
  const ordered = rows.map((row) => ({ row: [...row], by: JSON.stringify(row) }))
  return ordered.sort((one, other) => (one.by < other.by ? -1 : 1)).map(({ row }) => row)
}
