import { oneLine } from './format.ts'

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
  return `dray: ${error.name}: ${oneLine(error.message)} (run again with --debug for where it happened)`
}

function stacks(error: Error): string[] {
  const frames = error.stack?.split('\n').slice(error.message.split('\n').length) ?? []
  if (!(error.cause instanceof Error)) return frames
  return [...frames, `  caused by ${error.cause.name}: ${error.cause.message}`, ...stacks(error.cause)]
}
