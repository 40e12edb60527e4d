import type { OpenBlocks } from '#dray/block/block.ts'
import { writeStandIns } from '#dray/database/merge/stand-ins.ts'
import { TerminalError } from '#dray/errors.ts'
import type { MergeResult, MergeTarget } from '../../adapter.ts'
import { type MysqlTable, readTable } from '../live-table.ts'
import { tableNameOf } from '../names.ts'
import { mergeOrdered } from './merge-ordered.ts'
import { mergeStaged } from './merge-staged.ts'
import type { MergeSession } from './session.ts'
import { MergeStatements, sameColumns } from './sql.ts'
import { type StagedColumn, stagedColumnOf } from './staged-columns.ts'
import { StagingTable } from './staging-table.ts'
import { loadStraight } from './straight.ts'

const WITHOUT_TRANSACTIONS = new Set(['MYISAM', 'ARIA', 'MEMORY', 'CSV', 'ARCHIVE', 'MRG_MYISAM', 'BLACKHOLE'])

/**
 * Merges rows into a table: new ones straight, as long as that is sure to be exact; others into a temporary table of forgiving types first, where duplicates go and rows that the target would
 * refuse or change are taken out, then by one INSERT … SELECT (ON DUPLICATE KEY UPDATE).
 */
export async function mergeRows(
  session: MergeSession,
  target: MergeTarget,
  open: OpenBlocks,
  signal: AbortSignal | undefined,
): Promise<MergeResult> {
  const live = await targetOf(session, target)
  const columns = target.columns.map((name) => columnOf(live, target, name, session.facts.isMariaDB))
  const inserted = await loadStraight(session, target, live, open, signal)
  if (inserted !== null) return { inserted, updated: 0, unchanged: 0, duplicate: 0, rejected: [] }
  const staging = new StagingTable(session, tableNameOf(target.table), columns)
  const statements = new MergeStatements(target, live, staging)
  const drop = () => staging.drop().catch(() => {})
  const merging = { session, target, live, staging, statements, signal }
  const ordered = await mergeOrdered(merging, open).finally(drop)
  if (ordered !== null) return ordered
  const { result, standIns } = await mergeStaged(merging, open).finally(drop)
  return writeStandIns(result, standIns, open, (rows) => mergeRows(session, target, rows, signal))
}

async function targetOf(session: MergeSession, target: MergeTarget): Promise<MysqlTable> {
  const { table, key, mode } = target
  const live = await readTable((sql) => session.run(sql), table, session.facts.isMariaDB)
  if (live === null) {
    throw new TerminalError(
      `There is no table ${table}, so no row was written. Create it, or correct its name in the model.`,
    )
  }
  if (WITHOUT_TRANSACTIONS.has((live.engine ?? '').toUpperCase())) {
    throw new TerminalError(
      `${table} is stored by ${live.engine}, which has no transactions, so half a load could stay. Change it: ALTER TABLE … ENGINE=InnoDB.`,
    )
  }
  if (key.length === 0 && mode === 'insert') return live
  if (![live.primaryKey, ...live.uniqueKeys].some((columns) => sameColumns(columns, key))) {
    throw new TerminalError(
      `${table} has no primary or unique key on ${key.join(', ') || 'any column'}, so an upsert cannot find its rows. Add one.`,
    )
  }
  return live
}

function columnOf(live: MysqlTable, { table }: MergeTarget, name: string, isMariaDB: boolean): StagedColumn {
  const column = live.columns.find((candidate) => candidate.name === name)
  if (column !== undefined) return stagedColumnOf(column, table, isMariaDB)
  const names = live.columns.map((candidate) => candidate.name).join(', ')
  throw new TerminalError(
    `${table} has no column ${name} (it has ${names}), so no row was written. Add it, or correct the model.`,
  )
}
