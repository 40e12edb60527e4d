import { oneLine } from './format.ts'
import { placeOf } from './place-of-error.ts'

/** Names whose messages are written for people; others are faults of the program or the system below. */
const EXPLAINED = new Set([
  'Configuration',
  'LeaseHeld',
  'LeaseLost',
  'Transient',
  'Terminal',
  'DataQuality',
  'Interrupted',
])

/** One line for a person; with `debug` the stack and the causes as well. */
export function reportError(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return `dray: ${oneLine(String(error))}`
  if (debug) return [`dray: ${error.name}: ${error.message}`, ...stacks(error)].join('\n')
  if (error.name === 'AbortError') return 'dray: Interrupted; what was not finished was rolled back.'
  if (EXPLAINED.has(error.name)) return `dray: ${oneLine(error.message)}`
  const found = placeOf(error)
  const what = `${error.name}: ${oneLine(error.message)}`
  if (found === null) return `dray: ${what} (run again with --debug for where it happened)`
  if (!found.isOfLoading) return `dray: ${found.place}: ${what} (run again with --debug for how it came there)`
  return `dray: ${found.place} cannot be loaded, so nothing was done: ${what}; mend it there and run again.`
}

function stacks(error: Error): string[] {
  const frames = error.stack?.split('\n').slice(error.message.split('\n').length) ?? []
  if (!(error.cause instanceof Error)) return frames
  return [...frames, `  caused by ${error.cause.name}: ${error.cause.message}`, ...stacks(error.cause)]
}
