import { type RawBuilder, sql } from 'kysely'
import { tableName } from '#dray/active-record/sql.ts'
import type { Text } from '#dray/block/block.ts'
import type { Database } from '#dray/database/database.ts'
import { tableParts } from '#dray/database/table-name.ts'
import { DataQualityError, TransientError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { type ForeignKey, foreignKeysTo, isActing } from './foreign-keys.ts'
import type { GoneRows } from './gone-keys.ts'
import { queried } from './queried.ts'

/** Foreign keys from a table to one that refers to the target, and so on, that are followed at most. */
const MOST_STEPS = 8
const STILL_REFERRED = 'foreign_key'

/** Rows of another table that a foreign key keeps from losing what they refer to. */
interface Keeping {
  readonly key: ForeignKey
  /** The table that it refers to. */
  readonly parent: string
  readonly found: Referring
}

/** What rows of other tables make of the deletion of rows that they refer to. */
interface Others {
  /** What becomes of those whose foreign key deletes or changes them along. */
  readonly notes: readonly string[]
  readonly keeping: readonly Keeping[]
}

export async function rowsOfOthers(
  pipeline: Pipeline,
  gone: GoneRows,
  foreign: readonly ForeignKey[],
): Promise<Others> {
  const found = { notes: [] as string[], keeping: [] as Keeping[] }
  for (const key of foreign) if (!key.isOwn) await follow(pipeline, gone, [key], found)
  return found
}

/** What becomes of the rows at the end of a chain of foreign keys when those are deleted that it begins at. */
async function follow(
  pipeline: Pipeline,
  gone: GoneRows,
  path: readonly ForeignKey[],
  { notes, keeping }: { readonly notes: string[]; readonly keeping: Keeping[] },
): Promise<void> {
  const key = path.at(-1) as ForeignKey
  const { database, definition } = pipeline.load.target
  const found = await countReferring(pipeline, gone, path)
  if (found === null) {
    notes.push(`${key.table} may have rows that refer to rows that were deleted, which could not be looked at`)
  } else if (found.rows > 0 && isActing(key)) {
    notes.push(
      `${found.rows} rows of ${key.table} referred to rows that are gone from the source and ${outcomeOf(key)} along with them, by the foreign key ${key.name}; whether their own source still has them as they were is not known here: \`npx dray reconcile <pipeline> --deep\` of the pipeline that loads ${key.table} says it`,
    )
    if (key.onDelete !== 'cascade' || path.length > MOST_STEPS) return
    for (const next of await foreignKeysTo(database, key.table)) {
      if (next.isOwn || path.some(({ name, table }) => name === next.name && table === next.table)) continue
      await follow(pipeline, gone, [...path, next], { notes, keeping })
    }
  } else if (found.rows > 0) keeping.push({ key, parent: path.at(-2)?.table ?? definition.table, found })
}

/**
 * Deletes rows that others refer to by keys that would keep them. The database judges, since a trigger may change those
 * on the way; what it refuses, now or at COMMIT, throws with the row and what refers to it.
 */
export async function deleteKept<T>(
  pipeline: Pipeline,
  keeping: readonly Keeping[],
  work: () => Promise<T>,
): Promise<T> {
  const { database } = pipeline.load.target
  const [first] = keeping
  if (first === undefined) return work()
  try {
    const done = await database.transaction(work)
    for (const one of keeping) if (await hasLost(database, one)) throw stillReferred(pipeline, one.key, one.found)
    return done
  } catch (error) {
    if (!(error instanceof DataQualityError) || error.code === STILL_REFERRED) throw error
    throw stillReferred(pipeline, first.key, first.found, error)
  }
}

/** Whether rows refer to none, as where the key is judged at COMMIT. */
async function hasLost(database: Database, { key, parent }: Keeping): Promise<boolean> {
  const column = (name: string) => sql.id(alias(0), name)
  const given = key.columns.map((name) => sql`${column(name)} is not null`)
  const same = key.columns.map((name, at) => sql`${sql.id(alias(1), key.referred[at] as string)} = ${column(name)}`)
  const rows = await queried(
    database,
    sql`select 1 from ${tableName({ table: key.table })} as ${sql.id(alias(0))} where ${sql.join(given, sql` and `)}
      and not exists (select 1 from ${tableName({ table: parent })} as ${sql.id(alias(1))} where ${sql.join(same, sql` and `)}) limit 1`,
  )
  return rows.length > 0
}

export function outcomeOf({ onDelete, columns }: ForeignKey): string {
  if (onDelete === 'cascade') return 'were deleted'
  return `had ${columns.join(', ')} set to ${onDelete === 'set null' ? 'NULL' : 'the default'}`
}

interface Referring {
  readonly rows: number
  /** The key of a row that is gone and referred to. */
  readonly sample: readonly Text[]
}

/** Null where the role may not read the table. */
async function countReferring(
  { load: { target, by } }: Pipeline,
  gone: GoneRows,
  path: readonly ForeignKey[],
): Promise<Referring | null> {
  const joins = path.map(({ table, columns, referred }, step) => {
    const same = columns.map(
      (column, at) => sql`${sql.id(alias(step), column)} = ${owner(target.definition.table, step, referred[at])}`,
    )
    return sql`join ${tableName({ table })} as ${sql.id(alias(step))} on ${sql.join(same, sql` and `)}`
  })
  const from = sql`from ${tableName(target.definition)} ${sql.join(joins, sql` `)} where ${gone.isGone}`
  const key = by.map((name) => target.definition.byName.get(name)?.column as string)
  const own = key.map((column) => sql.id(...tableParts(target.definition.table), column))
  const read = async (statement: RawBuilder<unknown>) => (await queried(target.database, statement))[0]
  try {
    return await target.database.transaction(async () => {
      const rows = Number((await read(sql`select count(*) ${from}`))?.[0])
      return { rows, sample: rows === 0 ? [] : ((await read(sql`select ${sql.join(own)} ${from} limit 1`)) ?? []) }
    })
  } catch (error) {
    if (error instanceof TransientError) throw error
    return null
  }
}

function alias(step: number): string {
  return `dray_refers_${step}`
}

function owner(table: string, step: number, column = ''): RawBuilder<unknown> {
  return step === 0 ? sql.id(...tableParts(table), column) : sql.id(alias(step - 1), column)
}

/** The deletion is refused, since a foreign key would refuse it, or change rows that the source has otherwise. */
export function stillReferred(
  { name, load }: Pipeline,
  { name: key, table, columns, isOwn, onDelete }: ForeignKey,
  { rows, sample }: Referring,
  cause?: unknown,
): DataQualityError {
  const { definition } = load.target
  const where = `${definition.database}.${definition.table}`
  const row = load.by.map((field, place) => `${field} ${sample[place]}`).join(', ')
  const whose = isOwn ? 'rows of the table that the source still has' : `rows of ${table}`
  const action = isActing({ onDelete } as ForeignKey) ? `, which ON DELETE ${onDelete.toUpperCase()} would change` : ''
  const remedy = isOwn
    ? 'let the source name another row in them or none, by a change there or in the transform'
    : 'delete or change those first (run their pipeline before this one), or declare the key ON DELETE CASCADE or SET NULL'
  return new DataQualityError(
    '',
    STILL_REFERRED,
    `${name}: the row ${row} of ${where} is gone from the source, but ${rows} ${whose} refer to it or to others that are gone, by ${columns.join(', ')} (foreign key ${key})${action}; so no row was deleted and last_run stays where it is; ${remedy}`,
    cause === undefined ? {} : { cause },
  )
}
