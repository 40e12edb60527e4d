import { type RawBuilder, sql } from 'kysely'
import { columnName, tableName } from '#dray/active-record/sql.ts'
import type { OpenBlocks, Text } from '#dray/block/block.ts'
import { tableParts } from '#dray/database/table-name.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { columnsOf, hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { type ForeignKey, isActing } from './foreign-keys.ts'
import { GoneRows } from './gone-keys.ts'
import { queried } from './queried.ts'
import { outcomeOf, stillReferred } from './referring-rows.ts'

type Key = readonly Text[]

const CHILD = 'dray_child'

/** Deletes rows of these keys, and says how many. */
type Delete = (keys: readonly Key[]) => Promise<number>

interface Tree {
  readonly pipeline: Pipeline
  readonly gone: GoneRows
  /** The foreign keys of the table to itself. */
  readonly own: readonly ForeignKey[]
  /** The keys by which rows are known to be gone, and those of rows that this run has landed. */
  readonly held: OpenBlocks
  readonly landed: OpenBlocks
  readonly signal: AbortSignal
}

/**
 * Deletes rows of a table that refers to itself: the leaves first, so that no foreign key refuses a row, or deletes or
 * changes another one along. Throws where a row that this run has landed refers to one that is gone.
 */
export async function deleteTree(
  tree: Tree,
  keys: readonly Key[],
  remove: Delete,
): Promise<{ readonly deleted: number; readonly notes: readonly string[] }> {
  let deleted = 0
  let left = keys
  for (let before = -1; before !== left.length && left.length > 0; ) {
    before = left.length
    const kept: Key[] = []
    for (const group of inGroups(left)) {
      let rest: readonly Key[] = group
      for (let leaves = await leavesOf(tree, rest); leaves.length > 0; leaves = await leavesOf(tree, rest)) {
        deleted += await remove(leaves)
        rest = without(rest, leaves)
        if (rest.length === 0) break
      }
      kept.push(...rest)
    }
    left = kept
  }
  if (left.length === 0) return { deleted, notes: [] }
  const notes = await childrenThatStay(tree, left)
  // What is left refers to itself or to each other in a circle, or is referred to by rows that may be changed.
  await releaseAll(tree, left)
  for (const group of inGroups(left)) deleted += await remove(group)
  return { deleted, notes }
}

function without(keys: readonly Key[], gone: readonly Key[]): Key[] {
  const known = new Set(gone.map(keyOf))
  return keys.filter((key) => !known.has(keyOf(key)))
}

/** Rows that no row of the table refers to. */
async function leavesOf({ pipeline, gone, own }: Tree, keys: readonly Key[]): Promise<readonly Key[]> {
  const { target, by } = pipeline.load
  const { definition, database } = target
  const columns = columnsOf(definition, by)
  const isReferred = own.map(
    (key) => sql`exists (select 1 from ${tableName(definition)} as ${sql.id(CHILD)} where ${refers(pipeline, key)})`,
  )
  const wanted = hasKey(await database.adapter(), columns, keys, gone.live)
  return queried(
    database,
    sql`select ${sql.join(columns.map(columnName))} from ${tableName(definition)}
      where ${wanted} and ${gone.isGone} and not (${sql.join(isReferred, sql` or `)})`,
  )
}

function owned({ load }: Pipeline, column: string): RawBuilder<unknown> {
  return sql.id(...tableParts(load.target.definition.table), column)
}

function refers(pipeline: Pipeline, { columns, referred }: ForeignKey): RawBuilder<unknown> {
  const same = columns.map((column, at) => sql`${sql.id(CHILD, column)} = ${owned(pipeline, referred[at] as string)}`)
  return sql.join(same, sql` and `)
}

/** Refuses where they are landed, or the key refuses it; says how many are changed along. */
async function childrenThatStay(tree: Tree, left: readonly Key[]): Promise<string[]> {
  const notes: string[] = []
  for (const key of tree.own) {
    const staying = await childrenOf(tree, key, left)
    if (staying.length === 0) continue
    const refused = isActing(key) && key.onDelete !== 'cascade' ? await landedAmong(tree, staying) : staying.length
    const sample = left[0] as Key
    if (refused > 0) throw stillReferred(tree.pipeline, key, { rows: refused, sample })
    notes.push(
      `${staying.length} rows of ${key.table} that this run has not landed referred to rows that are gone from the source and ${outcomeOf(key)} along with them, by the foreign key ${key.name}; \`npx dray reconcile ${tree.pipeline.name} --deep\` says whether the source has them otherwise`,
    )
  }
  return notes
}

/** The keys of rows that refer to one of these, but for these. */
async function childrenOf({ pipeline, gone }: Tree, key: ForeignKey, keys: readonly Key[]): Promise<readonly Key[]> {
  const { target, by } = pipeline.load
  const { definition, database } = target
  const columns = columnsOf(definition, by)
  const adapter = await database.adapter()
  const children = new Map<string, Key>()
  for (const group of inGroups(keys)) {
    const found = await queried(
      database,
      sql`select ${sql.join(columns.map(({ column }) => sql.id(CHILD, column)))} from ${tableName(definition)} as ${sql.id(CHILD)}
        where exists (select 1 from ${tableName(definition)} where ${refers(pipeline, key)} and ${hasKey(adapter, columns, group, gone.live)})`,
    )
    for (const one of found) children.set(keyOf(one), one)
  }
  return without([...children.values()], keys)
}

/** How many of these rows this run has landed. */
async function landedAmong({ pipeline, held, landed, signal }: Tree, keys: readonly Key[]): Promise<number> {
  const rows = await GoneRows.among(pipeline, landed, signal)
  let count = 0
  for (const group of inGroups(keys)) count += group.length - (await rows.countOf(group))
  // One list of keys is held at a time.
  await GoneRows.among(pipeline, held, signal)
  return count
}

/** Takes the references of rows away that are about to be deleted, as far as they may be NULL. */
async function releaseAll({ pipeline, gone, own }: Tree, keys: readonly Key[]): Promise<void> {
  const { target, by } = pipeline.load
  const { definition, database } = target
  const columns = columnsOf(definition, by)
  const live = await database.withConnection((connection) => connection.describe(definition.table))
  const may = (name: string) =>
    !columns.some(({ column }) => column === name) &&
    live?.columns.some((column) => column.name === name && column.nullable) === true &&
    !live.primaryKey.includes(name)
  const released = [...new Set(own.flatMap((key) => key.columns.find(may) ?? []))]
  if (released.length === 0) return
  const adapter = await database.adapter()
  const nulls = released.map((column) => sql`${sql.id(column)} = null`)
  for (const group of inGroups(keys)) {
    await queried(
      database,
      sql`update ${tableName(definition)} set ${sql.join(nulls)} where ${gone.ofKeys(adapter, group)}`,
    )
  }
}
