import type { Alteration } from '#dray/database/alterations.ts'
import { TransientError } from '#dray/errors.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import { describeTable } from '#dray/pipeline/replica/described-table.ts'
import { targetChanges } from '#dray/pipeline/replica/fitted-target.ts'
import { tablePipeline } from '#dray/pipeline/rows/replicated-table.ts'
import { stepsOfTables, together } from './replica-tables.ts'

/** What separates a table of the target from the one that the source has. */
export interface SchemaOfTable {
  readonly step: string
  /** Null where the table is refused. */
  readonly target: string | null
  /** The next run makes it. */
  readonly isNew: boolean
  /** What the next run does by itself. */
  readonly made: readonly Pick<Alteration, 'what' | 'columns' | 'sql'>[]
  /** Sentences on what is left to people, with the statements. */
  readonly left: readonly string[]
  readonly refused: string | null
}

/** How the tables of a replica, or one of them, are to follow the source's. Changes nothing. */
export async function replicaSchema(replica: Replica, asked: readonly string[] | null): Promise<SchemaOfTable[]> {
  return together(await stepsOfTables(replica, asked), (step) => schemaOf(replica, step))
}

async function schemaOf(replica: Replica, step: string): Promise<SchemaOfTable> {
  try {
    const described = await describeTable(replica, step)
    const { table, live, notes } = described
    const target = `${replica.into.name}.${table.target}`
    if (live === null) return { step, target, isNew: true, made: [], left: notes, refused: null }
    const changes = await targetChanges(replica, described, live, tablePipeline(replica, table))
    const made = changes.safe.map(({ what, columns, sql }) => ({ what, columns, sql }))
    return { step, target, isNew: false, made, left: [...notes, ...changes.notes], refused: null }
  } catch (error) {
    if (error instanceof TransientError) throw error
    return { step, target: null, isNew: false, made: [], left: [], refused: (error as Error).message }
  }
}
