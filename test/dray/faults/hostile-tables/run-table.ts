import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { AnyField, Fields } from 'dray/internal/active-record/fields.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import type { CommitOutput, PlanOutput } from 'dray/internal/messages/stages.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import type { ValueDatabase } from '#test/contracts/value-databases.ts'
import { speechOf } from '#test/contracts/values.ts'
import { type Harness, runReference } from '#test/pipeline/harness.ts'
import type { HostileTable } from './hostile-table.ts'
import { targetName, urlOf } from './target-table.ts'

// biome-ignore lint/suspicious/noExplicitAny: pipelines of models that are drawn.
type AnyPipeline = Pipeline<any, any>

function databaseOf(engine: string, url: string, side: string): Database {
  const bound = database(`hostile-${side}-${engine}`)
  process.env[urlVariable(bound.name)] = url
  return bound
}

/** The pipeline that carries a table's rows as they are. */
export function pipelineOf(
  name: string,
  table: HostileTable,
  source: ValueDatabase,
  target: ValueDatabase,
): AnyPipeline {
  const columns = [...table.keys, ...table.extras]
  const fields: Record<string, AnyField> = {
    ident: bigint(),
    rev: bigint(),
    ...(table.nuisance === 'parents' ? { boss: bigint().nullable() } : {}),
  }
  columns.forEach((column, index) => {
    const field = column.kind.field().column(column.name)
    fields[`p${index}`] = (index < table.keys.length ? field : field.nullable()) as AnyField
  })
  const keys = table.keys.map((_, index) => `p${index}`)
  const keyed = (of: Fields): Fields =>
    Object.fromEntries(Object.entries(of).map(([key, field]) => [key, keys.includes(key) ? field.primaryKey() : field]))
  const From = databaseOf(source.engine, source.url, 'from').source(table.table, {
    ...keyed(fields),
    changedAt: timestamp().column('changed'),
  })
  const isHistory = table.way === 'history'
  const validFrom = isHistory ? (table.isMade ? timestamp().primaryKey() : timestamp()) : null
  const own: Fields = {
    ...(validFrom === null ? {} : { validFrom, validTo: timestamp().nullable() }),
    ...(table.deletes === 'soft' ? { gone: timestamp().nullable() } : {}),
  }
  const side = table.nuisance === 'policy' ? 'into-guarded' : 'into'
  const Into = databaseOf(target.engine, urlOf(target, table), side).table(targetName(table), {
    ...(isHistory && !table.isMade ? fields : keyed(fields)),
    ...own,
  })
  const names = Object.keys(fields)
  const loading = {
    upsert: () => upsert(Into, { by: keys as never }),
    append: () => append(Into),
    replace: () => replace(Into, { most: 1, allowEmpty: true }),
    history: () => history(Into, { by: keys, validFrom: 'validFrom', validTo: 'validTo' } as never),
  }[table.way]()
  const kind = isHistory
    ? { close: true, most: 1 }
    : table.deletes === 'soft'
      ? { soft: 'gone', most: 1 }
      : { hard: true, most: 1 }
  const { partitionRows } = table
  return pipeline(name, {
    extract: table.isIncremental
      ? changedSince(From, { cursor: 'changedAt' as never, lag: '0s', partitionRows, zone: 'UTC' })
      : fullLoad(From, { partitionRows }),
    transform: ((row: Record<string, unknown>) => Object.fromEntries(names.map((one) => [one, row[one]]))) as never,
    load: loading as never,
    ...(table.deletes === 'ignore' ? {} : { deletes: kind as never }),
    quarantine: { rows: 1_000_000, share: 1 },
  }) as AnyPipeline
}

/** Has the model make the target's table; false where its engine has no such keys. */
export async function makeTarget({ load }: AnyPipeline): Promise<boolean> {
  try {
    await load.target.createTable()
    return true
  } catch (error) {
    if (error instanceof Error && error.name === 'Configuration') return false
    throw error
  }
}

/** How a table is refused of which the user is shown some rows alone. */
export const POLICY = /policy lets through.*BYPASSRLS/

/** A key whose texts the models write otherwise is not taken over, so that rows which share it are refused. */
export const SPELLED = /whose keys are .* are one row of .*, and last_run stays where it is/s

export const UNORDERED = /nothing says which of them is the newest/

/** A run that was refused in words. */
export interface Refused {
  readonly refused: Error
}

export async function runOnce(
  of: AnyPipeline,
  id: string,
  startedAt: string,
  { services }: Harness,
): Promise<CommitOutput | Refused> {
  const run = { ...runReference(id), started_at: startedAt }
  const work = { run, pipeline: of.name }
  let planned: PlanOutput
  try {
    planned = await plan(of, { ...work, mode: null }, services)
  } catch (error) {
    if (error instanceof Error && ['Terminal', 'Configuration', 'SourceRefused', 'DataQuality'].includes(error.name))
      return { refused: error }
    throw error
  }
  const given = { ...work, plan: planned.plan, epoch: planned.epoch, planned_by: planned.planned_by }
  try {
    for (const { partition } of planned.partitions) {
      await load(of, await transform(of, await extract(of, { ...given, partition }, services), services), services)
    }
    return await commit(of, given, services)
  } catch (error) {
    // They are met where the rows are first read.
    const isRefused = error instanceof Error && [POLICY, UNORDERED, SPELLED].some((known) => known.test(error.message))
    if (isRefused) return { refused: error }
    throw error
  }
}

const NOW = {
  postgres: 'clock_timestamp()',
  mysql: 'utc_timestamp(6)',
  sqlite: "strftime('%Y-%m-%d %H:%M:%f', 'now')",
} as const

/** The source's table and what its writers do to it; what it refuses is left. */
export class SourceTable {
  readonly #source: ValueDatabase
  readonly #table: HostileTable
  readonly #name: string
  /** The rows by number, with what a plain row is made of. */
  readonly plain = new Map<number, { keys: boolean; extras: boolean }>()
  readonly #bosses = new Map<number, number | null>()
  #next = 1
  #rev = 1

  constructor(source: ValueDatabase, table: HostileTable) {
    this.#source = source
    this.#table = table
    this.#name = source.quote(table.table)
  }

  async create(): Promise<void> {
    const { keys, extras } = this.#table
    const speech = speechOf(this.#source.engine)
    const key = keys.map(({ name }) => this.#source.quote(name)).join(', ')
    const columns = [
      ...keys.map(({ name, from }) => `${this.#source.quote(name)} ${from} NOT NULL`),
      ...extras.map(({ name, from }) => `${this.#source.quote(name)} ${from}${speech === 'mysql' ? ' NULL' : ''}`),
      'ident bigint NOT NULL',
      'rev bigint NOT NULL',
      'boss bigint',
      `changed ${{ postgres: 'timestamptz', mysql: 'datetime(6)', sqlite: 'TEXT' }[speech]} NOT NULL`,
    ]
    await this.#source.run(`CREATE TABLE ${this.#name} (${columns.join(', ')}, PRIMARY KEY (${key}))`)
  }

  async change(phase: HostileTable['phases'][number]): Promise<void> {
    for (const change of phase) {
      const idents = [...this.plain.keys()]
      const ident = 'row' in change ? idents[change.row % Math.max(idents.length, 1)] : this.#next
      if (ident === undefined) continue
      if (change.change === 'delete') {
        // A source that has lost all of its rows is refused: see `test/dray/pipeline/deletes.test.ts`.
        if (idents.length === 1) continue
        await this.#source.run(`DELETE FROM ${this.#name} WHERE ident = ${ident}`)
        this.plain.delete(ident)
        continue
      }
      const set = this.#values(change)
      const before = this.plain.get(ident) ?? { keys: true, extras: true }
      const done = await this.#try(change.change === 'insert' ? this.#insert(ident, set) : this.#update(ident, set))
      if (!done) continue
      if (change.change === 'insert') this.#next++
      this.plain.set(ident, {
        keys: 'keys' in change ? change.keys.every(({ plain }) => plain) : before.keys,
        extras: 'extras' in change ? change.extras.every(({ plain }) => plain) : before.extras,
      })
    }
    if (this.#table.nuisance === 'parents') await this.#refer()
  }

  /** Has each row refer to the one that comes next. */
  async #refer(): Promise<void> {
    const idents = [...this.plain.keys()].sort((one, other) => one - other)
    for (const [index, ident] of idents.entries()) {
      const boss = idents[index + 1] ?? null
      if (this.#bosses.get(ident) === boss) continue
      const set = [['boss', String(boss ?? 'NULL')] as const, ...this.#stamps()]
      await this.#source.run(this.#update(ident, set))
      this.#bosses.set(ident, boss)
    }
  }

  #stamps(): [string, string][] {
    return [
      ['rev', String(this.#rev++)],
      ['changed', NOW[speechOf(this.#source.engine)]],
    ]
  }

  #values(change: HostileTable['phases'][number][number]): [string, string][] {
    const pairs = (columns: HostileTable['keys'], cells: readonly { readonly sql: string }[]) =>
      columns.map(({ name }, index): [string, string] => [
        this.#source.quote(name),
        (cells[index] as { readonly sql: string }).sql,
      ])
    return [
      ...('keys' in change ? pairs(this.#table.keys, change.keys) : []),
      ...('extras' in change ? pairs(this.#table.extras, change.extras) : []),
      ...this.#stamps(),
    ]
  }

  #insert(ident: number, set: readonly (readonly [string, string])[]): string {
    const all = [...set, ['ident', String(ident)] as const]
    return `INSERT INTO ${this.#name} (${all.map(([name]) => name).join(', ')}) VALUES (${all.map(([, value]) => value).join(', ')})`
  }

  #update(ident: number, set: readonly (readonly [string, string])[]): string {
    return `UPDATE ${this.#name} SET ${set.map(([name, value]) => `${name} = ${value}`).join(', ')} WHERE ident = ${ident}`
  }

  async #try(sql: string): Promise<boolean> {
    try {
      await this.#source.run(sql)
      return true
    } catch {
      return false
    }
  }
}
