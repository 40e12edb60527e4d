/** After which a wait for a transaction inside a transaction is said, in ms. */
export const LONG_WAIT_MS = 30_000

/** A statement, or another transaction inside, that waits for its turn. */
export interface Waiting {
  readonly what: string
  /** Where it was asked for, as far as the stack says it. */
  readonly from: string
}

/**
 * Warns once, by `process.emitWarning`, where something has waited for a savepoint for so long: nothing says what the
 * work of that awaits, but where it awaits what waits for it, both wait for ever. Returns how to stop looking.
 */
export function warnOfLongWait(database: string, holder: Waiting, waiting: ReadonlySet<Waiting>): () => void {
  let before = new Set<Waiting>()
  const look = () => {
    const [longest] = waiting.intersection(before)
    before = new Set(waiting)
    if (longest === undefined) return
    clearInterval(timer)
    process.emitWarning(
      `${longest.what} on database ${database} has waited ${LONG_WAIT_MS / 1000} s or more for its turn behind a transaction inside its transaction, which has not ended. If the work of that one awaits it, both wait for ever: do it inside of that one, or await it before that one begins. It was asked for at ${longest.from}; what it waits for at ${holder.from}.`,
      { type: 'DrayWarning', code: 'DRAY_LONG_WAIT' },
    )
  }
  const timer = setInterval(look, LONG_WAIT_MS)
  timer.unref()
  return () => clearInterval(timer)
}

/** The first line of the stack that is neither Node's nor of this folder's callers in the package. */
export function askedFrom(): string {
  const lines = (new Error().stack ?? '').split('\n').slice(1)
  const named = lines.map((line) => line.trim().replace(/^at /, ''))
  return named.find((line) => !OWN.test(line)) ?? named.at(-1) ?? 'an unknown place'
}

const OWN = /node:internal|\/dray\/(?:database|active-record)\//
