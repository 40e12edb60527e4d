import { tableNameOf } from '#dray/database/table-name.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import { uncheckedColumns } from '#dray/pipeline/rows/replicated-checks.ts'
import { type ReplicatedTable, tablePipeline } from '#dray/pipeline/rows/replicated-table.ts'
import type { StateStore } from '#dray/state/state-store.ts'
import { copyThatIsThere } from './copy-there.ts'
import { describeTable } from './described-table.ts'
import { makeChanges, targetChanges } from './fitted-target.ts'

/** A table of a replica as a run takes it over. */
export interface PreparedTable {
  readonly pipeline: Pipeline
  readonly table: ReplicatedTable
  /** Sentences for a person. */
  readonly notes: readonly string[]
}

/**
 * At Plan: makes the table in the target where there is none, and has it follow the source's where that leaves its rows
 * as they are. Throws `Terminal` for a table that cannot be replicated, and for one that was lost.
 */
export async function preparedTable(
  replica: Replica,
  step: string,
  { state, signal }: { readonly state: StateStore; readonly signal: AbortSignal },
): Promise<PreparedTable> {
  const described = await describeTable(replica, step)
  const { table, live, notes, missing } = described
  const pipeline = tablePipeline(replica, table)
  if (live === null) {
    await refuseLost(pipeline, state)
    await makeTable(pipeline)
    return { pipeline, table, notes }
  }
  const taken = await copyThatIsThere(replica, pipeline, table, live)
  const changes = await targetChanges(replica, described, live, pipeline)
  const made = await makeChanges(pipeline, changes, missing, signal)
  const said = [...notes, ...taken, ...changes.notes, ...made]
  const now = made.length === 0 ? table : (await describeTable(replica, step)).table
  refuseUnchecked(replica, step, now)
  return { pipeline: tablePipeline(replica, now), table: now, notes: said }
}

function refuseUnchecked(replica: Replica, step: string, table: ReplicatedTable): void {
  const [column] = uncheckedColumns(replica, table)
  if (column === undefined) return
  throw new TerminalError(
    `${step}: a check names ${column}, which ${replica.into.name}.${table.target} does not have, so it could not be asked and nothing was read; \`npx dray schema plan ${replica.name}\` says how the copy gets it, or leave the check out`,
  )
}

/** The same, before a run. */
export interface LiveTable extends PreparedTable {
  /** The next run makes its table. */
  readonly isNew: boolean
  /** What becomes of rows that are in its table already. Throws `Terminal` where a run would refuse it. */
  readonly lookAtCopy: () => Promise<readonly string[]>
}

/** The same as it would be, where nothing is to be changed. */
export async function livePipeline(replica: Replica, step: string): Promise<LiveTable> {
  const described = await describeTable(replica, step)
  const { table, live, notes } = described
  const pipeline = tablePipeline(replica, table)
  const changes = live === null ? null : await targetChanges(replica, described, live, pipeline)
  const toCome = (changes?.safe ?? []).map(({ what }) => `the next run ${what} in ${replica.into.name}.${table.target}`)
  const lookAtCopy = async () => (live === null ? [] : copyThatIsThere(replica, pipeline, table, live))
  return { pipeline, table, isNew: live === null, lookAtCopy, notes: [...notes, ...(changes?.notes ?? []), ...toCome] }
}

/** What `last_run` says has landed would not be read again. */
async function refuseLost({ name, extract, load }: Pipeline, state: StateStore): Promise<void> {
  if (extract.cursor === null) return
  const known = await state.pipeline(name)
  if (known === null || known.lastRun === null) return
  const { database, table } = load.target.definition
  throw new TerminalError(
    `${name}: ${database} has no table ${table} (any more), and last_run says that rows were loaded until ${known.lastRun}, so a run would leave them out and nothing was read; \`npx dray state reset ${name} --yes\` has the next run load all of them`,
  )
}

async function makeTable({ load: { target } }: Pipeline): Promise<void> {
  const { schema } = tableNameOf(target.definition.table)
  if (schema !== null) {
    await target.database.withConnection(async (connection, adapter) => {
      const sql = adapter.schema.createSchema(schema)
      // Where the user may not, CREATE TABLE says what is missing.
      if (sql !== null) await connection.query(sql).catch(() => undefined)
    })
  }
  await target.createTable({ ifMissing: true })
}
