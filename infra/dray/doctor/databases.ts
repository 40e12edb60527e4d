import { availableParallelism } from 'node:os'
import { database } from 'dray/internal/active-record/database.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { type Examined, type ExaminedUse, examineDatabase } from 'dray/internal/pipeline/inspect/examine-database.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'

const MOST_HANDLERS = 8

export interface Uses {
  readonly workflows: readonly Pick<Workflow, 'steps'>[]
  readonly pipelines: readonly Pipeline[]
  /** Handlers run here, and no more of them at once than processors. */
  readonly isHere: boolean
}

/** Those that are declared, and those that pipelines work with, in order. */
export function databaseNames(declared: readonly string[], pipelines: readonly Pipeline[]): readonly string[] {
  const used = pipelines.flatMap(({ extract, load }) => [extract.source.definition, load.target.definition])
  return [...new Set([...declared, ...used.map(({ database: name }) => name)])].sort()
}

/** Asks all databases at once; one that is away keeps none of the others from being asked. */
export async function examineDatabases(
  names: readonly string[],
  uses: Uses,
  now?: () => number,
): Promise<ReadonlyMap<string, Examined>> {
  const examined = names.map(
    async (name) => [name, await examineDatabase(database(name), useOf(name, uses), now)] as const,
  )
  return new Map(await Promise.all(examined))
}

function useOf(name: string, { workflows, pipelines, isHere }: Uses): ExaminedUse {
  const reads = pipelines.filter(({ extract }) => extract.source.definition.database === name)
  const writes = pipelines.filter(({ load }) => load.target.definition.database === name)
  const using = [...new Set([...reads, ...writes])]
  const largest = Math.max(
    0,
    ...workflows.map(({ steps }) => {
      const own = using.filter((pipeline) => steps.some((step) => step.name === pipeline.name))
      return own.reduce((sum, { concurrency }) => sum + concurrency, 0)
    }),
  )
  const most = isHere ? Math.min(availableParallelism(), MOST_HANDLERS) : Number.POSITIVE_INFINITY
  return {
    isRead: reads.length > 0,
    isReadByTime: reads.some(({ extract }) => extract.cursor !== null && extract.cursor.kind !== 'xid'),
    isWritten: writes.length > 0,
    connections: {
      atOnce: Math.max(1, Math.min(largest, most)),
      ofOne: Math.min(most, Math.max(1, ...using.map(({ concurrency }) => concurrency))),
    },
  }
}
