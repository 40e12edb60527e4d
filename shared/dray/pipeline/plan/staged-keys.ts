import { KEYS_AT_ONCE } from '#dray/active-record/sql.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { readJson, writeJson } from '#dray/staging/documents.ts'
import type { Services } from '../services.ts'
import { type Partition, WHOLE } from './partitions.ts'

type Keys = readonly (readonly string[])[]

/** Of a key of one column, which a statement looks for in a list. */
const MOST_KEYS = 5_000

/** How many keys a partition has, which one statement reads. */
export function keysOfPartition({ source }: Extraction): number {
  return source.definition.primaryKey.length === 1 ? MOST_KEYS : KEYS_AT_ONCE
}

/** Objects that are written at a time. */
const AT_ONCE = 16

/**
 * Partitions of these keys, staged beside the plan: each stage of each partition reads the whole plan, so that keys in
 * it would be read as often as there are partitions.
 */
export async function stageKeys(
  groups: readonly Keys[],
  prefix: string,
  { staging, signal }: Services,
): Promise<Partition[]> {
  const partitions: Partition[] = []
  for (let from = 0; from < groups.length; from += AT_ONCE) {
    const some = groups.slice(from, from + AT_ONCE)
    const staged = await Promise.all(some.map((keys) => writeJson(staging, prefix, keys, { signal })))
    partitions.push(...staged.map((keysIn) => ({ ...WHOLE, keysIn })))
  }
  return partitions
}

/** The partition with its keys at hand. */
export async function withKeys(partition: Partition, { staging, signal }: Services): Promise<Partition> {
  if (partition.keysIn === undefined) return partition
  return { ...partition, keys: await readJson<Keys>(staging, partition.keysIn, { signal }) }
}
