import type { OwnTables } from './own-tables.ts'

const LEDGER = 'dray_ledger'
const KEY = ['pipeline', 'run_id', 'partition_number'] as const

/**
 * The ledger's `note` held the staged plan of a partition, as JSON, and in a replay's under `replayed` what it had
 * sent. Each gets its column, `plan` and `replayed`.
 *
 * `note` is renamed, not copied: code of before names it in each INSERT and SELECT, and so can neither write an entry
 * without `replayed` nor read one without its plan. Its Loads are rolled back whole; its runs fail, and go on by `dray
 * resume` with the code of now.
 */
export async function addPlanColumns(tables: OwnTables): Promise<void> {
  await tables.rename(LEDGER, 'note', 'plan')
  await tables.add(LEDGER, 'replayed', { kind: 'text', nullable: true })
  const replays = await tables.rowsLike(LEDGER, [...KEY, 'plan'], 'plan', '%"replayed":%')
  for (const [pipeline, run, partition, plan] of replays) {
    const { replayed, ...staged } = JSON.parse(plan ?? '{}') as { readonly replayed?: unknown }
    const key = { pipeline: pipeline ?? '', run_id: run ?? '', partition_number: partition ?? '' }
    await tables.update(LEDGER, key, { plan: JSON.stringify(staged), replayed: JSON.stringify(replayed) })
  }
}
