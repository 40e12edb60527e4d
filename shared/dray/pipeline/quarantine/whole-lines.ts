import { StagedObjectDamaged } from '#dray/errors.ts'
import { readJsonLines } from '#dray/staging/documents.ts'
import type { StagingStore } from '#dray/staging/staging-store.ts'
import type { DamagedObjects } from './damaged-objects.ts'

/** Objects that are read at a time; most are small, and far away. */
const AT_ONCE = 16
/** Lines of an object that are held until its end has been seen; a longer one is read again instead. */
const MOST_HELD = 1_000

export interface LinesOf<T> {
  readonly key: string
  readonly lines: AsyncIterable<T> | Iterable<T>
}

interface Reading<T> {
  readonly kind: 'rows' | 'log'
  /** Whether a line is one that Dray writes; an object with another one is damaged, whole. */
  readonly isLine: (line: unknown) => line is T
  /** Throws at the first damaged object where nobody collects them. */
  readonly damaged: DamagedObjects | null
}

/**
 * The lines of many objects, in the order of their keys, each object once it has been seen to its end: nothing of a
 * damaged one. What is no longer there has been pruned.
 */
export async function* wholeLines<T>(
  staging: StagingStore,
  keys: readonly string[],
  reading: Reading<T>,
): AsyncGenerator<LinesOf<T>> {
  for (let from = 0; from < keys.length; from += AT_ONCE) {
    const some = keys.slice(from, from + AT_ONCE)
    for (const found of await Promise.all(some.map((key) => checked<T>(staging, key, reading)))) {
      if (found !== null) yield found
    }
  }
}

async function checked<T>(
  staging: StagingStore,
  key: string,
  { kind, isLine, damaged }: Reading<T>,
): Promise<LinesOf<T> | null> {
  const held: T[] = []
  let count = 0
  try {
    for await (const line of readJsonLines<unknown>(staging, key)) {
      if (!isLine(line))
        throw new StagedObjectDamaged(staging.locate(key), 'a line of it says something else than it should')
      if (count++ < MOST_HELD) held.push(line)
    }
  } catch (error) {
    const { name } = error as Error
    if (name === 'StagedObjectMissing') return null
    if (name !== 'StagedObjectDamaged' || damaged === null) throw error
    damaged.add(kind, key, staging)
    return null
  }
  return { key, lines: count <= MOST_HELD ? held : readJsonLines<T>(staging, key) }
}
