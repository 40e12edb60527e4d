import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { Replica } from 'dray/internal/pipeline/declare/replica.ts'

/** What a folder under `functions/` declares. */
export type Unit = Pipeline | Replica

export function sourceOf(unit: Unit): string {
  return unit.kind === 'replica' ? unit.from.name : unit.extract.source.definition.database
}

export function targetOf(unit: Unit): string {
  return unit.kind === 'replica' ? unit.into.name : unit.load.target.definition.database
}

/** The databases that a pipeline, or a replica, reads and writes. */
export function databasesOf(unit: Unit): string[] {
  return [...new Set([sourceOf(unit), targetOf(unit)])]
}

/** Partitions that may be worked on at once. */
export function partitionsAtOnce(unit: Unit): number {
  return unit.kind === 'replica' ? unit.concurrency * unit.tablesAtOnce : unit.concurrency
}

/** Whether rows are read by a time stamp, so that the clock of the source matters. */
export function isReadByTime(unit: Unit): boolean {
  if (unit.kind === 'pipeline') return unit.extract.cursor !== null && unit.extract.cursor.kind !== 'xid'
  return unit.cursor.length > 0 || [...unit.overrides.values()].some(({ cursor = false }) => cursor !== false)
}
