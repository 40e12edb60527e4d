import { wholeName } from '#dray/database/whole-name.ts'
import { TerminalError } from '#dray/errors.ts'
import { isTableStep } from '#dray/messages/step-name.ts'
import type { Loading } from '#dray/pipeline/declare/loading.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { areInTheWay, claimOf, claimText } from '#dray/pipeline/declare/shared-tables.ts'
import { ledgerOf, type RaisedFence } from './ledger.ts'
import { isOfAnother } from './mark.ts'

/** What a table is claimed for. */
type Claiming = Pick<Pipeline, 'name' | 'written'> & { readonly load: Pick<Loading, 'target'> }

/**
 * At Plan, behind the fence: enters the table that the pipeline writes, and gives its mark; null where rows have landed
 * in another one. Throws `Terminal` where another pipeline, of whatever project, writes it too and one of them touches
 * rows that it has not loaded.
 */
export async function claimTable(pipeline: Claiming, known: RaisedFence): Promise<string | null> {
  const { database, definition } = pipeline.load.target
  const { Fence } = ledgerOf(database)
  const alone = claimText(pipeline.written)
  const writtenTable = await wholeName(database, definition.table)
  await refuseShared(pipeline, writtenTable)
  if (known.writtenTable === writtenTable && known.alone === alone) return known.mark
  const mark = isOfAnother(known, writtenTable) ? null : known.mark
  const enter = async (change: { writtenTable: string | null; alone: string | null }) => {
    await (await Fence.findBy({ pipeline: pipeline.name }))?.assign({ ...change, mark }).saveOrFail()
  }
  await enter({ writtenTable, alone })
  try {
    // Another one may have looked before this one had entered it.
    await refuseShared(pipeline, writtenTable)
  } catch (error) {
    await enter({ writtenTable: null, alone: null })
    throw error
  }
  return mark
}

/** What `claimTable` would refuse, of a run that has not begun. */
export async function refuseClaimed(pipeline: Claiming): Promise<void> {
  const { database, definition } = pipeline.load.target
  const { Fence } = ledgerOf(database)
  const live = await database.withConnection((connection) => connection.describe(Fence.definition.table))
  if (!live?.columns.some(({ name }) => name === 'written_table')) return
  await refuseShared(pipeline, await wholeName(database, definition.table))
}

async function refuseShared({ name, load, written }: Claiming, writtenTable: string): Promise<void> {
  const { database, definition } = load.target
  const others = await ledgerOf(database).Fence.where({ writtenTable }).toArray()
  const other = others.find((one) => one.pipeline !== name && areInTheWay(claimOf(one.alone), written))
  if (other === undefined) return
  const because =
    written.alone === null ? `${other.pipeline} ${claimOf(other.alone).alone}` : `${name} ${written.alone}`
  const apart = isTableStep(name)
    ? 'give the copy another name (name, or overrides: { name })'
    : 'give each its own table, or say which rows are whose (deletes: { where: { … } } in both of them)'
  throw new TerminalError(
    `${name}: the pipeline ${other.pipeline} writes ${definition.database}.${definition.table}, too, and ${because}, so each would undo what the other has loaded, and nothing was read; ${apart}. Where ${other.pipeline} was renamed or removed: delete from dray_fence where pipeline = '${other.pipeline.replaceAll("'", "''")}'; in ${definition.database}, once no run of it is on`,
  )
}
