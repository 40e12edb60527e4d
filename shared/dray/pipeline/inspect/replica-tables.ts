import { ConfigurationError, TransientError } from '#dray/errors.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import { changesNoted } from '#dray/pipeline/replica/changed-tables.ts'
import { type ChosenTable, type ChosenTables, chosenTables } from '#dray/pipeline/replica/chosen-tables.ts'
import { type LiveTable, livePipeline } from '#dray/pipeline/replica/prepared-table.ts'
import { apartInTarget } from '#dray/pipeline/stages/tables.ts'
import type { StateStore } from '#dray/state/state-store.ts'

/** A table of a replica as the next run would find it. */
export interface FoundTable extends ChosenTable {
  /** Null where it is refused. */
  readonly prepared: LiveTable | null
  /** Why it is not replicated; null where it is. */
  readonly refused: string | null
}

export interface FoundTables {
  /** The largest first. */
  readonly tables: readonly FoundTable[]
  /** Sentences on the replica: what is new, what is gone. */
  readonly notes: readonly string[]
}

/** Tables that are described together: more would wait for connections. */
const AT_ONCE = 4

/** Which tables a replica has now, each as a run would take it over. Changes nothing. */
export async function replicaTables(
  replica: Replica,
  signal: AbortSignal,
  state: StateStore | null = null,
): Promise<FoundTables> {
  const chosen = await chosenTables(replica)
  const { clashes } = await apartInTarget(replica, chosen.tables)
  const tables = await together(chosen.tables, async (table): Promise<FoundTable> => {
    signal.throwIfAborted()
    const clash = clashes.get(table.step)
    if (clash !== undefined) return { ...table, prepared: null, refused: withoutName(clash.reason ?? '') }
    try {
      return { ...table, prepared: await livePipeline(replica, table.step), refused: null }
    } catch (error) {
      if (error instanceof TransientError) throw error
      return { ...table, prepared: null, refused: (error as Error).message }
    }
  })
  return { tables, notes: [...chosen.notes, ...(await changes(replica, chosen, { state, clashes }))] }
}

/**
 * The steps of a replica's tables. Throws `Configuration` where it has none of that name, so that nothing is begun.
 */
export async function stepsOfTables(replica: Replica, asked: readonly string[] | null): Promise<readonly string[]> {
  const steps = (await chosenTables(replica)).tables.map(({ step }) => step)
  const unknown = (asked ?? []).filter((step) => !steps.includes(step))
  if (unknown.length === 0) return asked ?? steps
  throw new ConfigurationError(
    `${unknown.join(', ')} is no table that ${replica.name} takes over, so nothing was done; \`npx dray plan ${replica.name}\` lists those that it has`,
  )
}

/** Before the first run the target knows of no table. */
async function changes(
  replica: Replica,
  chosen: ChosenTables,
  surroundings: Parameters<typeof changesNoted>[2],
): Promise<readonly string[]> {
  const fence = await replica.into.withConnection((connection) => connection.describe('dray_fence'))
  return fence === null ? [] : changesNoted(replica, chosen, surroundings)
}

/** Does the work of all, several at once, and keeps their order. */
export async function together<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const waiting = [...items.entries()]
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [place, item] = next
      results[place] = await work(item)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return results
}

function withoutName(reason: string): string {
  return reason.replace(/^[A-Z]\w+: /, '')
}
