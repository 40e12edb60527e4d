import type { CheckResult } from '#dray/messages/check-result.ts'
import { checkWholeTable } from '#dray/pipeline/checks/check-pipeline.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import type { Services } from '../services.ts'
import { replicaTables } from './replica-tables.ts'

/** Whether any of its tables has checks. */
export function hasChecks({ checks, overrides }: Replica): boolean {
  return checks.length > 0 || [...overrides.values()].some((override) => (override.checks ?? []).length > 0)
}

/** The checks of all tables of a replica that have some, by their steps; those without a copy yet are left out. */
export async function checkTables(
  replica: Replica,
  services: Services,
): Promise<{ readonly step: string; readonly checks: readonly CheckResult[] }[]> {
  const { tables } = await replicaTables(replica, services.signal)
  const checked = []
  for (const { step, table, prepared, refused } of tables) {
    const own = [...replica.checks, ...(replica.overrides.get(table)?.checks ?? [])]
    if (own.length === 0 || prepared?.isNew) continue
    const checks =
      prepared === null ? [unasked(replica, table, refused)] : await checkWholeTable(prepared.pipeline, services)
    if (checks.length > 0) checked.push({ step, checks })
  }
  return checked
}

function unasked({ from }: Replica, table: string, refused: string | null): CheckResult {
  const said = `it could not run: ${refused}`
  const where = { name: 'all checks', table: `${from.name}.${table}`, severity: 'fail', scope: 'table' } as const
  return { ...where, status: 'not run', failing: null, keys: [], said, seconds: 0 }
}
