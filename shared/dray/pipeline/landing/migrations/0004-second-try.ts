import type { OwnTables } from './own-tables.ts'

const LEDGER = 'dray_ledger'
const STAGED = { kind: 'text', nullable: true } as const

/**
 * The ledger's references to the rows of a partition that were refused, which Commit tries again, and to the keys that
 * it has loaded, which Commit never deletes.
 *
 * Code of before writes neither, and quarantines its refused rows itself: nothing is left to Commit then. Its Commit
 * knows neither, but refuses the plan of a run whose Loads count on it (`formats.plan`).
 */
export async function addSecondTry(tables: OwnTables): Promise<void> {
  await tables.add(LEDGER, 'refused', STAGED)
  await tables.add(LEDGER, 'loaded_keys', STAGED)
}
