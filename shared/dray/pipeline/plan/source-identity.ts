import type { Identity } from '#dray/database/capabilities.ts'
import { asking } from '#dray/database/reading.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { KnownSource, KnownTable } from '#dray/state/state-store.ts'
import { type OtherTable, otherTable, tableOf } from './table-identity.ts'

/** The source that a run reads, to be kept beside `last_run`; null for a full load, which has none. */
export interface ReadSource {
  readonly source: (Identity & { readonly table: KnownTable }) | null
  readonly note: string | null
  /** Null where `last_run` is of the table and its cursor. */
  readonly otherTable: OtherTable | null
}

/**
 * Holds the source that is bound now against the one that `last_run` is of. Throws `Terminal` for another one: its rows
 * changed at other times, so a window would leave some out for good.
 */
export async function checkSource(
  { name, extract }: Pipeline,
  lastRun: string | null,
  known: KnownSource | null,
): Promise<ReadSource> {
  if (extract.cursor === null) return { source: null, note: null, otherTable: null }
  const { database, definition } = extract.source
  return database.withConnection(async (connection, adapter) => {
    const rows = asking(connection)
    const { identity, weakness } = await adapter.identity.read(rows)
    const table = await tableOf(extract, connection, adapter)
    const source = { ...identity, table }
    const weak =
      weakness === null
        ? null
        : `${definition.database} can be told from another server by its name alone; to have it known for sure, ${weakness}`
    if (known === null) return { source, note: weak, otherTable: null }
    const kinship = await adapter.identity.compare(rows, known, identity)
    if (kinship === 'other' || kinship === 'behind') throw otherSource(name, definition.database, lastRun, kinship)
    const promoted = `another server has taken over the source ${definition.database} since last_run: rows that only the former one had, as after a failover that lost some, are found by \`npx dray reconcile ${name}\``
    // Another server may number the same tables otherwise.
    const kept = kinship === 'successor' && known.table ? { ...table, cursor: known.table.cursor } : known.table
    return {
      source,
      note: kinship === 'successor' ? promoted : weak,
      otherTable:
        !kept || lastRun === null
          ? null
          : await otherTable(extract, lastRun, { known: kept, now: table }, connection, adapter),
    }
  })
}

function otherSource(
  name: string,
  database: string,
  lastRun: string | null,
  kinship: 'other' | 'behind',
): TerminalError {
  const what =
    kinship === 'other'
      ? `the database that ${database} is bound to is not the one that last_run (${lastRun}) is of`
      : `the database that ${database} is bound to lacks what it had at last_run (${lastRun}): it was restored from a backup, or is an older copy`
  return new TerminalError(
    `${name}: ${what}, and its changes since then are not the other one's, so nothing was read; bind ${database} to the former one, or: \`npx dray state reset ${name} --yes\` has all rows of this one read once; \`npx dray state set ${name} ${lastRun === null ? '<last_run>' : `'${lastRun}'`} --yes\` takes it for the same data, as after a failover or a move, and keeps last_run`,
  )
}
