import type { StateStore, StepRecord } from 'dray/internal/state/state-store.ts'
import { BY_CURSOR, type FamilyTable, TABLES } from './family-models.ts'
import type { MemoryDatabase } from './memory-database.ts'
import type { Row } from './memory-transaction.ts'
import { PIPELINE } from './models.ts'
import { Divergence } from './witness.ts'

export interface FamilyDatabases {
  readonly source: MemoryDatabase
  readonly target: MemoryDatabase
}

const textOf = (row: Row) => JSON.stringify([row.id ?? null, row.label ?? null, row.changed_at ?? null])
const sorted = (rows: readonly Row[]) => rows.map(textOf).sort()

/** A table of the source has moved its `last_run`: what was stamped before it has landed. */
export function checkLanded({ source, target }: FamilyDatabases, table: string, lastRun: string): void {
  if (!BY_CURSOR.includes(table)) return
  const found = new Set(target.rows(table).map(textOf))
  const lost = source.rows(table).find((row) => (row.changed_at ?? '') < lastRun && !found.has(textOf(row)))
  if (lost !== undefined) throw new Divergence(`last_run of ${table} went to ${lastRun}, without ${textOf(lost)}`)
}

/** Whatever is in a table of the target, the source had; a key is there once. */
export function checkKeys({ target }: FamilyDatabases): void {
  for (const { name, hasKey } of TABLES) {
    const ids = target.rows(name).map(({ id }) => id)
    if (hasKey && new Set(ids).size < ids.length) throw new Divergence(`${name} has a key twice: ${ids}`)
  }
}

/** Everything has been read: each table that the source has is the same in the target. */
export function checkSame({ source, target }: FamilyDatabases): void {
  for (const { name } of TABLES.filter(({ name }) => source.tableNames().includes(name))) {
    const [due, found] = [sorted(source.rows(name)), sorted(target.rows(name))]
    if (due.join() !== found.join()) throw new Divergence(`${name} has ${found} where the source has ${due}`)
  }
}

/** A run that has succeeded says so of each of its tables, and of the sum of them. */
export function checkRecords(run: string, steps: readonly StepRecord[], due: readonly FamilyTable[]): void {
  const own = steps.find(({ step }) => step === PIPELINE)
  const tables = steps.filter(({ step }) => step.startsWith(`${PIPELINE}/`))
  if (own?.status !== 'success') throw new Divergence(`${run} succeeded, and its replica is ${own?.status}`)
  const other = tables.find(({ status }) => status !== 'success')
  if (other !== undefined) throw new Divergence(`${run} succeeded, and ${other.step} is ${other.status}`)
  const missing = due.find(({ name }) => !tables.some(({ step }) => step === `${PIPELINE}/${name}`))
  if (missing !== undefined) throw new Divergence(`${run} succeeded, and says nothing of ${missing.name}`)
  const read = tables.reduce((sum, table) => sum + table.read, 0)
  if (own.tables?.total !== tables.length || own.read !== read) {
    const sum = `${own.read} rows of ${own.tables?.total} tables`
    throw new Divergence(`${run} says that it has read ${sum}, and its tables ${read} rows of ${tables.length}`)
  }
}

/** Once all is over nobody has a lease, a transaction or a lock. */
export async function checkNothingHeld(state: StateStore, { source, target }: FamilyDatabases): Promise<void> {
  for (const { pipeline } of await state.pipelines()) {
    const owner = (await state.pipeline(pipeline))?.leaseOwner ?? null
    if (owner !== null) throw new Divergence(`everything has ended, and ${owner} holds the lease of ${pipeline}`)
  }
  const open = source.openTransactions + target.openTransactions + target.locks.size
  if (open > 0) throw new Divergence(`everything has ended, and ${open} transactions and locks are held`)
}
