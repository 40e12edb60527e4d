import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, text } from 'dray/internal/active-record/field-kinds.ts'
import type { Fields } from 'dray/internal/active-record/fields.ts'
import type { SourceRecord } from 'dray/internal/active-record/record.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import type { CommitOutput } from 'dray/internal/messages/stages.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import { type Harness, quarantined, runPipeline } from '#test/pipeline/harness.ts'
import type { ValueDatabase } from './value-databases.ts'
import { type Engine, speechOf, type TestValue, VALUE_COLUMNS, type ValueColumn } from './values.ts'

/** What became of one value on its way from one engine to another. */
export type Outcome =
  | { readonly kind: 'survives' }
  | { readonly kind: 'quarantined'; readonly code: string; readonly message: string }
  | { readonly kind: 'no such type' }
  /** The value is not what it was, or its row is lost, and nobody was told. */
  | { readonly kind: 'changed'; readonly message: string }

export interface PlacedValue {
  readonly id: number
  readonly column: ValueColumn
  readonly value: TestValue
}

/** `source>target` */
export function pairName(source: Engine, target: Engine): string {
  return `${source}>${target}`
}

/** Every value with the key of its row. */
export const PLACED: readonly PlacedValue[] = VALUE_COLUMNS.flatMap((column) =>
  column.values.map((value) => ({ column, value })),
).map((placed, index) => ({ ...placed, id: index + 1 }))

function has(database: ValueDatabase, { column, value }: PlacedValue): boolean {
  return (
    column.source[speechOf(database.engine)] !== undefined && value.literals[speechOf(database.engine)] !== undefined
  )
}

export interface Copy {
  readonly partitionRows?: number
  readonly source: ValueDatabase
  readonly target: ValueDatabase
  readonly from: string
  readonly into: string
  readonly fields: Fields
  readonly by: readonly string[]
}

export function databaseOf({ engine, url }: ValueDatabase): Database {
  const bound = database(`values-${engine}`)
  process.env[urlVariable(bound.name)] = url
  return bound
}

/** Runs a pipeline that gives each property of a row, by its accessor, to the target. */
export async function runCopy(
  { source, target, from, into, fields, by, partitionRows = 50_000 }: Copy,
  harness: Harness,
): Promise<{ readonly commit: CommitOutput; readonly quarantined: readonly QuarantinedRow[] }> {
  const names = Object.keys(fields)
  const name = `${source.engine}-${target.engine}-${into.replaceAll('_', '-')}`
  const copying = pipeline(name, {
    extract: fullLoad(databaseOf(source).source(from, fields), { partitionRows }),
    transform: (row: SourceRecord) =>
      Object.fromEntries(names.map((property) => [property, (row as unknown as Record<string, unknown>)[property]])),
    load: upsert(databaseOf(target).table(into, fields), { by }),
    quarantine: { rows: 1_000, share: 1 },
  })
  const commit = await runPipeline(copying, 'run', harness.services)
  return { commit, quarantined: await quarantined(harness, 'run', name) }
}

/** Makes the table of the values an engine has: each in its own row, in the column of its kind. */
export async function fillSource(source: ValueDatabase): Promise<void> {
  const columns = VALUE_COLUMNS.flatMap((column) => {
    const type = column.source[speechOf(source.engine)]
    return type === undefined
      ? []
      : [`${source.quote(column.name)} ${type}${speechOf(source.engine) === 'mysql' ? ' NULL' : ''}`]
  })
  await source.run(`CREATE TABLE val (id bigint NOT NULL PRIMARY KEY, label varchar(200), ${columns.join(', ')})`)
  for (const placed of PLACED) {
    if (!has(source, placed)) continue
    await source.run(
      `INSERT INTO val (id, ${source.quote(placed.column.name)}) VALUES (${placed.id}, ${placed.value.literals[speechOf(source.engine)]})`,
    )
  }
}

async function digests(
  database: ValueDatabase,
  table: string,
  placed: readonly PlacedValue[],
): Promise<ReadonlyMap<number, { readonly digest: string | null; readonly start: string | null }>> {
  const found = new Map<number, { digest: string | null; start: string | null }>()
  for (const column of new Set(placed.map((one) => one.column))) {
    const ids = placed.filter((one) => one.column === column).map(({ id }) => id)
    const canonical = database.canonical(column.form, database.quote(column.name))
    const rows = await database.rows(
      `SELECT id, ${database.digest(canonical)}, substr(${canonical}, 1, 60) FROM ${table} WHERE id IN (${ids.join(', ')})`,
    )
    for (const [id, digest = null, start = null] of rows) found.set(Number(id), { digest, start })
  }
  return found
}

/** Where values are carried to, and how. */
export interface Carriage {
  readonly from?: string
  readonly into?: string
  /** All that the source has, by default. */
  readonly columns?: readonly ValueColumn[]
  readonly partitionRows?: number
  /** Which values the source's table has; all by default. */
  readonly taken?: (placed: PlacedValue) => boolean
}

/** Carries the values that the source has into the target, by a run of a real pipeline, and compares both sides. */
export async function carry(
  source: ValueDatabase,
  target: ValueDatabase,
  harness: Harness,
  {
    from = 'val',
    into = `val_from_${source.engine}`,
    columns: wanted = VALUE_COLUMNS,
    partitionRows,
    taken = () => true,
  }: Carriage = {},
): Promise<ReadonlyMap<number, Outcome>> {
  const columns = wanted.filter((column) => column.source[speechOf(source.engine)] !== undefined)
  const types = columns.map((column) => `${target.quote(column.name)} ${column.target[speechOf(target.engine)]}`)
  await target.run(`CREATE TABLE ${into} (id bigint NOT NULL PRIMARY KEY, ${types.join(', ')})`)
  const fields = {
    id: bigint().primaryKey(),
    ...Object.fromEntries(columns.map((column) => [column.name, column.field])),
  }
  const placed = PLACED.filter((one) => wanted.includes(one.column) && taken(one))
  const sized = partitionRows === undefined ? {} : { partitionRows }
  const copy = await runCopy({ source, target, from, into, fields, by: ['id'], ...sized }, harness)
  const here = placed.filter((one) => has(source, one))
  const reasons = new Map(copy.quarantined.map(({ row, errors }) => [Number(row.id), errors[0]]))
  const before = await digests(source, from, here)
  const after = await digests(target, into, here)
  return new Map(
    placed.map((placed): [number, Outcome] => {
      if (!has(source, placed)) return [placed.id, { kind: 'no such type' }]
      const reason = reasons.get(placed.id)
      const given = before.get(placed.id)
      const landed = after.get(placed.id)
      if (reason !== undefined && landed === undefined) {
        return [placed.id, { kind: 'quarantined', code: reason.code, message: reason.message }]
      }
      if (landed !== undefined && reason === undefined && landed.digest === given?.digest) {
        return [placed.id, { kind: 'survives' }]
      }
      const what =
        landed === undefined
          ? 'is in neither the target nor the quarantine'
          : `became ${landed.start} (${landed.digest})`
      return [placed.id, { kind: 'changed', message: `${given?.start} (${given?.digest}) ${what}` }]
    }),
  )
}

/** Names that a careless quotation, or a row as an object, would lose. */
const ODD_NAMES = ['order', '__proto__', 'constructor', 'a"b', 'a`b']
const MANY = Array.from({ length: 493 }, (_, index) => `n${index}`)
/** 500 columns: a key of two, odd names, and many. */
const WIDE_COLUMNS = ['k1', 'k2', ...ODD_NAMES, ...MANY]

const wideFields: Fields = Object.fromEntries(
  WIDE_COLUMNS.map((column, index) => {
    const field = column === 'k1' || MANY.includes(column) ? bigint() : text()
    return [`p${index}`, (index < 2 ? field.primaryKey() : field).column(column)]
  }),
)

async function createWide(where: ValueDatabase, table: string): Promise<void> {
  const columns = WIDE_COLUMNS.map((column) => {
    const type = column === 'k1' || MANY.includes(column) ? 'bigint' : 'varchar(40)'
    return `${where.quote(column)} ${type} NOT NULL`
  })
  await where.run(`CREATE TABLE ${table} (${columns.join(', ')}, PRIMARY KEY (k1, k2))`)
}

async function wideDigests(where: ValueDatabase, table: string): Promise<readonly (readonly (string | null)[])[]> {
  const texts = WIDE_COLUMNS.map((column) =>
    where.canonical(column === 'k1' || MANY.includes(column) ? 'integer' : 'text', where.quote(column)),
  )
  return where.rows(`SELECT ${where.digest(where.concat(texts))} FROM ${table} ORDER BY k1, k2`)
}

/** Makes a table of 500 columns with three rows whose keys share their parts, and one like it without a row. */
export async function fillWideSource(source: ValueDatabase): Promise<void> {
  await createWide(source, 'wide')
  await createWide(source, 'bare')
  for (const [first, second] of [
    [1, 'a'],
    [1, 'b'],
    [2, 'a'],
  ] as const) {
    const values = WIDE_COLUMNS.map((column, index) => {
      if (column === 'k1') return String(first)
      if (column === 'k2') return `'${second}'`
      return MANY.includes(column) ? String(first * 1000 + index) : `'${column} ${second}'`
    })
    await source.run(`INSERT INTO wide VALUES (${values.join(', ')})`)
  }
}

/** Carries both tables; the counts of each commit and the digests of the rows on both sides. */
export async function carryWide(source: ValueDatabase, target: ValueDatabase, harness: Harness) {
  const [wide, bare] = [`wide_from_${source.engine}`, `bare_from_${source.engine}`]
  await createWide(target, wide)
  await createWide(target, bare)
  const common = { source, target, fields: wideFields, by: ['p0', 'p1'] }
  return {
    wide: (await runCopy({ ...common, from: 'wide', into: wide }, harness)).commit,
    bare: (await runCopy({ ...common, from: 'bare', into: bare }, harness)).commit,
    before: await wideDigests(source, 'wide'),
    after: await wideDigests(target, wide),
    empty: await wideDigests(target, bare),
  }
}
