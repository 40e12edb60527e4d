import type { LiveTable } from '#dray/database/adapter.ts'
import { quotedTable } from '#dray/database/table-name.ts'
import { wholeName } from '#dray/database/whole-name.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import { ledgerOf } from '#dray/pipeline/landing/ledger.ts'
import { isOfAnother } from '#dray/pipeline/landing/mark.ts'
import type { ReplicatedTable } from '#dray/pipeline/rows/replicated-table.ts'
import { isAlike } from './column-names.ts'

/**
 * Holds a table of the target that is there against the one that a run would make. Throws `Terminal` where rows of
 * others would be lost, and where its key does not tell the source's rows apart; says what becomes of rows of others.
 */
export async function copyThatIsThere(
  replica: Replica,
  pipeline: Pipeline,
  table: ReplicatedTable,
  live: LiveTable,
): Promise<readonly string[]> {
  const isOwn = await isLoadedBy(pipeline)
  await refuseOtherKey(replica, pipeline, table, { live, isOwn })
  if (isOwn || !(await hasRows(pipeline))) return []
  const { name, load } = pipeline
  const where = `${replica.into.name}.${table.target}`
  if (load.kind === 'replace') {
    throw new TerminalError(
      `${name}: ${where} is there with rows that no run of ${name} has loaded, and each run replaces the whole table, so they would be lost and nothing was read; give the copy another name (name, or overrides: { name }), or empty ${where} by hand where nobody needs them`,
    )
  }
  const others = { ignore: 'others stay', hard: 'others are deleted', soft: 'others are marked as deleted' }[
    table.deletes
  ]
  const become = load.kind === 'append' ? 'they stay' : `those of the same key become the source's, and ${others}`
  return [
    `${where} was there before, with rows that no run of ${name} has loaded: ${become}; where it is not to be the copy, give that another name (name, or overrides: { name })`,
  ]
}

/** By its fence, which says what it has written. */
async function isLoadedBy({ name, load: { target } }: Pipeline): Promise<boolean> {
  const { Fence } = ledgerOf(target.database)
  const { table } = Fence.definition
  const live = await target.database.withConnection((connection) => connection.describe(table))
  // A plan may look before the first run of all has made it, or a newer version has changed it.
  if (live === null || Fence.definition.columns.some(({ column }) => !live.columns.some(({ name }) => name === column)))
    return live !== null
  const fence = await Fence.findBy({ pipeline: name })
  return fence !== null && !isOfAnother(fence, await wholeName(target.database, target.definition.table))
}

function hasRows({ load: { target } }: Pipeline): Promise<boolean> {
  return target.database.withConnection(async (connection, { quote }) => {
    const { rows } = await connection.query(`select 1 from ${quotedTable(target.definition.table, quote)} limit 1`)
    return rows.length > 0
  })
}

async function refuseOtherKey(
  { from, into }: Replica,
  { name }: Pipeline,
  { source, target, columns, key, load }: ReplicatedTable,
  { live, isOwn }: { readonly live: LiveTable; readonly isOwn: boolean },
): Promise<void> {
  if (load !== 'upsert') return
  const adapter = await into.adapter()
  const ofKey = columns.filter((column) => key.includes(column.name))
  const isKey = (names: readonly string[]) =>
    names.length === ofKey.length &&
    ofKey.every((column) => names.some((one) => isAlike(one, column.target.column, adapter)))
  if ([live.primaryKey, ...live.uniqueKeys].some(isKey)) return
  const there = live.primaryKey.length === 0 ? 'no such key' : `the key ${live.primaryKey.join(', ')}`
  const what = `${from.name}.${source} has the key ${ofKey.map((column) => column.source.column).join(', ')}, and ${into.name}.${target} has ${there}`
  const why = 'so rows of the two cannot be matched, and nothing was read'
  throw new TerminalError(
    isOwn
      ? `${name}: ${what}, ${why}; drop that copy, and \`npx dray state reset ${name} --yes\` has the next run make it anew with all rows`
      : `${name}: ${what} and was not made by ${name}, ${why}; give the copy another name (name, or overrides: { name })`,
  )
}
