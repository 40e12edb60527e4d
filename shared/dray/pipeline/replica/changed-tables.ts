import { GONE_TABLES, NEW_TABLES, VIEWS } from '#dray/messages/column-notes.ts'
import { tableOfStep } from '#dray/messages/step-name.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import { ledgerOf } from '#dray/pipeline/landing/ledger.ts'
import type { StateStore } from '#dray/state/state-store.ts'
import { type ChosenTable, type ChosenTables, listed } from './chosen-tables.ts'

/** A table that a run has loaded. */
interface KnownTable {
  readonly pipeline: string
  readonly writtenTable: string | null
}

interface Surroundings {
  /** Null where it cannot be read. */
  readonly state: Pick<StateStore, 'pipeline'> | null
  /** Steps of tables that cannot be taken over. */
  readonly clashes: { has(step: string): boolean }
}

/**
 * Tables that have come or gone since the last run, by what the target knows of. One that no run could load yet is
 * known by its lease.
 */
export async function changesNoted(
  replica: Replica,
  { tables, left }: Pick<ChosenTables, 'tables' | 'left'>,
  { state, clashes }: Surroundings,
): Promise<string[]> {
  const { Fence } = ledgerOf(replica.into)
  const known: readonly KnownTable[] = await Fence.where(['pipeline like ?', `${replica.name}/%`]).toArray()
  if (known.length === 0) return []
  const names = new Set(known.map(({ pipeline }) => pipeline))
  const isTried = async ({ step }: ChosenTable) => ((await state?.pipeline(step)) ?? null) !== null
  const fresh: ChosenTable[] = []
  for (const table of tables) {
    if (!names.has(table.step) && !clashes.has(table.step) && !(await isTried(table))) fresh.push(table)
  }
  const others = new Map([...left, ...tables].map((table) => [table.step, table]))
  const chosen = new Set(tables.map(({ step }) => step))
  const lost = known.filter(({ pipeline }) => !chosen.has(pipeline))
  const gone = lost.filter(({ pipeline }) => !others.has(pipeline))
  const unchosen = lost.filter(({ pipeline }) => others.get(pipeline)?.isView === false)
  const views = lost.filter(({ pipeline }) => others.get(pipeline)?.isView)
  return [
    ...(fresh.length === 0 ? [] : [newNote(replica, fresh)]),
    ...(gone.length === 0 ? [] : [goneNote(replica, gone)]),
    ...(unchosen.length === 0 ? [] : [unchosenNote(replica, unchosen)]),
    ...views.map((view) => viewNote(replica, view)),
  ]
}

function newNote({ from, name }: Replica, fresh: readonly ChosenTable[]): string {
  return `${from.name} has ${fresh.length === 1 ? 'a new table' : 'new tables'}, which ${name} ${NEW_TABLES}: ${listed(fresh.map(({ table }) => table))}`
}

function goneNote({ from, into, name }: Replica, gone: readonly KnownTable[]): string {
  const them = gone.length === 1 ? 'it' : 'them'
  return `${name} has copied ${named(gone)} of ${from.name}, ${GONE_TABLES}, or its user may not see ${them}; ${into.name} keeps ${copies(gone)} as of the last run. ${ending(gone)}`
}

function unchosenNote({ into, name }: Replica, tables: readonly KnownTable[]): string {
  return `${name} has copied ${named(tables)}, and its tables choose ${tables.length === 1 ? 'it' : 'them'} no more; ${into.name} keeps ${copies(tables)} as of the last run. ${ending(tables)}`
}

function viewNote({ from, into, name }: Replica, view: KnownTable): string {
  const table = tableOfStep(view.pipeline)
  return `${table} of ${from.name} ${VIEWS}, which ${name} takes only where a name without a star names it; ${into.name} keeps ${copies([view])} as of the last run. Add '${table}' to tables, and overrides: { '${table}': { key: … } } to have its rows updated by a key. ${ending([view])}`
}

function ending(tables: readonly KnownTable[]): string {
  const names = tables.map(({ pipeline }) => `'${pipeline.replaceAll("'", "''")}'`).join(', ')
  return `Once ${tables.length === 1 ? 'it is' : 'they are'} dropped there, this ends with: delete from dray_fence where pipeline in (${names})`
}

function named(tables: readonly KnownTable[]): string {
  return listed(tables.map(({ pipeline }) => tableOfStep(pipeline)))
}

function copies(tables: readonly KnownTable[]): string {
  return listed(tables.map(({ writtenTable, pipeline }) => writtenTable ?? pipeline))
}
