import { availableParallelism } from 'node:os'
import { database } from 'dray/internal/active-record/database.ts'
import { type Examined, type ExaminedUse, examineDatabase } from 'dray/internal/pipeline/inspect/examine-database.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import {
  databasesOf,
  isReadByTime,
  partitionsAtOnce,
  sourceOf,
  targetOf,
  type Unit,
} from '#dray-infra/project/unit-databases.ts'

const MOST_HANDLERS = 8

export interface Uses {
  readonly workflows: readonly Pick<Workflow, 'steps'>[]
  readonly units: readonly Unit[]
  /** Handlers run here, and no more of them at once than processors. */
  readonly isHere: boolean
}

/** Those that are declared, and those that pipelines work with, in order. */
export function databaseNames(declared: readonly string[], units: readonly Unit[]): readonly string[] {
  return [...new Set([...declared, ...units.flatMap(databasesOf)])].sort()
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

function useOf(name: string, { workflows, units, isHere }: Uses): ExaminedUse {
  const reads = units.filter((unit) => sourceOf(unit) === name)
  const writes = units.filter((unit) => targetOf(unit) === name)
  const using = [...new Set([...reads, ...writes])]
  const largest = Math.max(
    0,
    ...workflows.map(({ steps }) => {
      const own = using.filter((unit) => steps.some(({ name, of = name }) => of === unit.name))
      return own.reduce((sum, unit) => sum + partitionsAtOnce(unit), 0)
    }),
  )
  const most = isHere ? Math.min(availableParallelism(), MOST_HANDLERS) : Number.POSITIVE_INFINITY
  return {
    isRead: reads.length > 0,
    isReadByTime: reads.some(isReadByTime),
    isWritten: writes.length > 0,
    connections: {
      atOnce: Math.max(1, Math.min(largest, most)),
      ofOne: Math.min(most, Math.max(1, ...using.map(partitionsAtOnce))),
    },
  }
}
