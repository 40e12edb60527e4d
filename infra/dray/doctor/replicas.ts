import { type Checked, found } from 'dray/internal/database/health.ts'
import type { Replica } from 'dray/internal/pipeline/declare/replica.ts'
import type { PipelineSurroundings } from 'dray/internal/pipeline/inspect/examine-pipeline.ts'
import { replicaTables } from 'dray/internal/pipeline/inspect/replica-tables.ts'

/** Sentences of tables that are printed of one replica; `dray plan` has all of them. */
const MOST_SAID = 20

/** By the name of the replica: which tables it has, and those that it cannot take over. */
export async function examineReplicas(
  replicas: readonly Replica[],
  surroundings: Pick<PipelineSurroundings, 'isConnected'>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly Checked[]>> {
  const examined = new Map<string, readonly Checked[]>()
  for (const replica of replicas) examined.set(replica.name, await examine(replica, surroundings, signal))
  return examined
}

async function examine(
  replica: Replica,
  { isConnected }: Pick<PipelineSurroundings, 'isConnected'>,
  signal: AbortSignal,
): Promise<readonly Checked[]> {
  const away = [...new Set([replica.from.name, replica.into.name])].filter((name) => !isConnected(name))
  if (away.length > 0) {
    const said = `its tables were not looked at, since ${away.join(' and ')} cannot be connected to (above)`
    return [found('databases', 'unknown', said)]
  }
  try {
    return await tablesOf(replica, signal)
  } catch (error) {
    return [found('tables', 'broken', (error as Error).message)]
  }
}

async function tablesOf(replica: Replica, signal: AbortSignal): Promise<readonly Checked[]> {
  const { tables, notes } = await replicaTables(replica, signal)
  if (tables.length === 0) {
    const said = `${replica.from.name} has no table that tables: ${JSON.stringify(replica.tables)} chooses, or its user may not see any, so a run would fail; grant them to the user, or look at the patterns`
    return [found('tables', 'broken', said), ...notes.map((note) => found('tables', 'warning', note))]
  }
  const refused = tables.filter((table) => table.refused !== null)
  const told = tables.flatMap(({ prepared, step }) => (prepared?.notes ?? []).map((note) => `${step}: ${note}`))
  const counts = `${tables.length} tables of ${replica.from.name} become tables of ${replica.into.name}`
  return [
    found('tables', 'ok', refused.length === 0 ? counts : `${counts}, but for ${refused.length}`),
    ...cut(
      refused.map((table) => table.refused as string),
      replica,
    ).map((said) => found('table', 'broken', said)),
    ...notes.map((note) => found('tables', 'warning', note)),
    ...cut(told, replica).map((said) => found('table', 'warning', said)),
  ]
}

function cut(said: readonly string[], { name }: Replica): readonly string[] {
  const more = said.length - MOST_SAID
  return more <= 0 ? said : [...said.slice(0, MOST_SAID), `and ${more} more: \`npx dray plan ${name}\` has all of them`]
}
