import type { Database } from 'dray/internal/active-record/database.ts'
import fc from 'fast-check'

/** What a transaction does: each part in turn, or all at once; with parts that are awaited and parts that are not. */
export type Work =
  | { readonly kind: 'create' | 'insert'; readonly body: string; readonly isAwaited: boolean }
  | {
      readonly kind: 'transaction'
      readonly parts: readonly Work[]
      readonly atOnce: boolean
      readonly isAwaited: boolean
      /** Throws when its parts are done. */
      readonly fails: boolean
      /** Whether who asked for it goes on where it has failed. */
      readonly isCaught: boolean
    }

/** What was said of each row: by what it returned, and by the transactions around it. */
interface Said {
  readonly body: string
  readonly around: readonly Outcome[]
  readonly own: Outcome
}

interface Outcome {
  hasSucceeded: boolean | null
}

/** How rows are written: true where the database says that it has the row. */
export interface Writers {
  readonly create: (body: string) => Promise<boolean>
  readonly insert: (body: string) => Promise<boolean>
}

let made = 0
/** One body in five is one that the table refuses. */
const body = fc.nat(4).map((kind) => (kind === 0 ? 'refused' : `row ${++made}`))

export const works: fc.Arbitrary<Work> = fc.letrec<{ work: Work }>((tie) => ({
  work: fc.oneof(
    { maxDepth: 4 },
    fc.record({
      kind: fc.constantFrom('create' as const, 'insert' as const),
      body,
      isAwaited: fc.nat(3).map((kind) => kind > 0),
    }),
    fc.record({
      kind: fc.constant('transaction' as const),
      parts: fc.array(tie('work'), { maxLength: 4 }),
      atOnce: fc.boolean(),
      isAwaited: fc.nat(3).map((kind) => kind > 0),
      fails: fc.nat(3).map((kind) => kind === 0),
      isCaught: fc.boolean(),
    }),
  ),
})).work

/** Runs the work in a transaction; returns the rows that have been said to be committed, once all has settled. */
export async function committedBy(database: Database, parts: readonly Work[], writers: Writers): Promise<string[]> {
  const said: Said[] = []
  const begun: Promise<unknown>[] = []

  const settle = (outcome: Outcome, work: Promise<boolean>): Promise<boolean> => {
    const settled = work.then(
      (hasSucceeded) => {
        outcome.hasSucceeded = hasSucceeded
        return hasSucceeded
      },
      (error: unknown) => {
        outcome.hasSucceeded = false
        throw error
      },
    )
    begun.push(settled.catch(() => undefined))
    return settled
  }

  const run = (work: Work, around: readonly Outcome[]): Promise<unknown> => {
    const own: Outcome = { hasSucceeded: null }
    if (work.kind !== 'transaction') {
      said.push({ body: work.body, around, own })
      return settle(own, writers[work.kind](work.body))
    }
    const done = database.transaction(async () => {
      await all(work.parts, work.atOnce, [...around, own])
      if (work.fails) throw new Error('asked for')
      return true
    })
    const settled = settle(own, done)
    return work.isCaught ? settled.catch(() => undefined) : settled
  }

  const all = async (works: readonly Work[], atOnce: boolean, around: readonly Outcome[]): Promise<void> => {
    const awaited: Promise<unknown>[] = []
    for (const work of works) {
      const one = run(work, around)
      if (!work.isAwaited) void one.catch(() => undefined)
      else if (atOnce) awaited.push(one)
      else await one
    }
    await Promise.all(awaited)
  }

  const root = { kind: 'transaction', parts, atOnce: false, isAwaited: true, fails: false, isCaught: true } as const
  await run(root, [])
  // What has begun may begin something else.
  for (let settled = 0; settled < begun.length; ) {
    settled = begun.length
    await Promise.all(begun)
  }
  return said
    .filter(({ own, around }) => [own, ...around].every(({ hasSucceeded }) => hasSucceeded))
    .map(({ body: text }) => text)
    .toSorted()
}
