import { StagedObjectDamaged } from '#dray/errors.ts'
import { readJsonLines, readMeasuredLines } from '#dray/staging/documents.ts'
import type { StagingStore } from '#dray/staging/staging-store.ts'
import type { DamagedObjects } from './damaged-objects.ts'

/** Objects that are read at a time; most are small, and far away. */
const AT_ONCE = 16
/** Of an object, held until its end has been seen; a longer one is read again instead. */
const MOST_LINES = 1_000
const MOST_CHARACTERS = 1024 * 1024

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
  let held: T[] | null = []
  let length = 0
  try {
    for await (const { value, characters } of readMeasuredLines<unknown>(staging, key)) {
      if (!isLine(value))
        throw new StagedObjectDamaged(staging.locate(key), 'a line of it says something else than it should')
      length += characters
      if (length > MOST_CHARACTERS || held?.length === MOST_LINES) held = null
      held?.push(value)
    }
  } catch (error) {
    const { name } = error as Error
    if (name === 'StagedObjectMissing') return null
    if (name !== 'StagedObjectDamaged' || damaged === null) throw error
    damaged.add(kind, key, staging)
    return null
  }
  return { key, lines: held ?? readJsonLines<T>(staging, key) }
}
