/** Why a range of rows was refused. `at` is the first bad row where the database says which one, else null. */
export interface Refusal<E> {
  readonly error: E
  readonly at: number | null
}

/**
 * Finds exactly the rows that the database refuses among `[0, count)`, and has all others written, in order. `attempt`
 * writes a range as a whole and leaves nothing behind when it returns a refusal; errors that are no row's fault it
 * throws. Few bad rows cost about 2·log₂(count) attempts each, many cost about one each.
 */
export async function bisect<E>(
  count: number,
  attempt: (from: number, to: number) => Promise<Refusal<E> | null>,
  reject: (row: number, error: E) => void,
): Promise<void> {
  let from = 0
  let step = count
  let knownBad = Number.POSITIVE_INFINITY
  while (from < count) {
    const to = Math.min(from + step, count)
    const refusal = await attempt(from, to)
    if (refusal === null) {
      from = to
      // A range that ends at a known bad row would fail again: take half of what is left before it.
      step = knownBad > from && knownBad <= count ? Math.max(1, Math.ceil((knownBad - from) / 2)) : step * 2
      continue
    }
    const { at } = refusal
    if (to - from === 1 || at === from) {
      reject(from, refusal.error)
      from += 1
      step = 1
      knownBad = Number.POSITIVE_INFINITY
    } else if (at !== null && at > from && at < to) {
      step = at - from
      knownBad = at + 1
    } else {
      step = Math.ceil((to - from) / 2)
      knownBad = to
    }
  }
}
