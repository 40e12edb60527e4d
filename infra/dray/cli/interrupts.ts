/** Ctrl-C of `npm start` comes twice at once: from the terminal and from npm, which passes it on. */
const SAME_INTERRUPT_MS = 1_000

export interface Interrupts {
  /** Fires at the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal
  /** Called at the next one: the user does not want to wait for an orderly end. */
  onHurry(listener: () => void): void
  /** Leaves the signals to Node again. */
  stop(): void
}

/** How often to look whether npm is still there, in ms. */
const LOOK_FOR_PARENT_MS = 200

/**
 * `npm start` runs the command in a shell, and a signal sent to npm alone ends npm and the shell, but does not get
 * here. Says when the process that started this one has gone.
 */
function watchParent(orphaned: () => void): () => void {
  if (!process.env.npm_lifecycle_event) return () => {}
  const parent = process.ppid
  const timer = setInterval(() => process.ppid !== parent && orphaned(), LOOK_FOR_PARENT_MS).unref()
  return () => clearInterval(timer)
}

/** Turns signals of the system into an AbortSignal, whose reason is named `Interrupted`. */
export function listenForInterrupts(now: () => number = Date.now): Interrupts {
  const controller = new AbortController()
  const listeners: (() => void)[] = []
  let first: number | null = null
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const receive = () => {
    if (first === null) {
      first = now()
      controller.abort(Object.assign(new Error('Interrupted before the run had begun.'), { name: 'Interrupted' }))
    } else if (now() - first > SAME_INTERRUPT_MS) {
      for (const listener of listeners) listener()
    }
  }
  for (const name of names) process.on(name, receive)
  const unwatch = watchParent(() => first === null && receive())
  return {
    signal: controller.signal,
    onHurry: (listener) => listeners.push(listener),
    stop() {
      unwatch()
      for (const name of names) process.off(name, receive)
    },
  }
}
