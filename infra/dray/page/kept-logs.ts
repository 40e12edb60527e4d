import type { Entry } from './calls.ts'

/** The last lines of a run arrive a while after its end. */
const LATE_MS = 15 * 60_000
const MOST_RUNS = 50

interface KeptLog {
  readonly at: number
  readonly entries: Promise<readonly Entry[]>
  /** Nothing will be added to it. */
  isWhole: boolean
}

/** Logs of runs, each read once by all who ask for it within a while, and once for good when its run is long over. */
export class KeptLogs {
  readonly #read: (run: string) => Promise<readonly Entry[]>
  readonly #keptMs: number
  readonly #now: () => number
  readonly #logs = new Map<string, KeptLog>()

  constructor(
    read: (run: string) => Promise<readonly Entry[]>,
    { keptMs, now = Date.now }: { readonly keptMs: number; readonly now?: () => number },
  ) {
    this.#read = read
    this.#keptMs = keptMs
    this.#now = now
  }

  /** Of a run that ended then, or of which no end is known. */
  of(run: string, end: number | null = null): Promise<readonly Entry[]> {
    const now = this.#now()
    const known = this.#logs.get(run)
    if (known !== undefined && (known.isWhole || now - known.at < this.#keptMs)) return known.entries
    const log: KeptLog = { at: now, entries: this.#read(run), isWhole: false }
    this.#logs.delete(run)
    this.#logs.set(run, log)
    const [oldest] = this.#logs.keys()
    if (this.#logs.size > MOST_RUNS && oldest !== undefined) this.#logs.delete(oldest)
    log.entries.then(
      () => {
        log.isWhole = end !== null && now > end + LATE_MS
      },
      () => {},
    )
    return log.entries
  }
}
