import { placeOf } from '#dray-infra/project/place-of-error.ts'
import { oneLine } from './format.ts'

/** Names whose messages are written for people, with their codes in documents; others are faults of the program. */
const EXPLAINED: ReadonlyMap<string, string> = new Map([
  ['Configuration', 'configuration'],
  ['LeaseHeld', 'lease_held'],
  ['LeaseLost', 'lease_lost'],
  ['Transient', 'transient'],
  ['Terminal', 'terminal'],
  ['DataQuality', 'data_quality'],
  ['Interrupted', 'interrupted'],
])

/** What each verb is about, in the project's folder. */
const PAGES: Readonly<Record<string, string>> = {
  add: 'docs/pipelines.md',
  backfill: 'docs/pipelines.md',
  check: 'docs/checks.md',
  deploy: 'docs/deploy.md',
  destroy: 'docs/deploy.md',
  diff: 'docs/deploy.md',
  import: 'docs/import.md',
  new: 'README.md',
  plan: 'docs/pipelines.md',
  preview: 'docs/pipelines.md',
  prove: 'docs/first-deployment.md',
  schema: 'docs/active-record.md',
  upgrade: 'docs/upgrade.md',
}

/** What `--json` prints where the verb has no document to give. */
export interface ErrorDocument {
  readonly error: {
    /** `usage`, `configuration`, `lease_held`, … or `fault`, for what nobody has foreseen. */
    readonly code: string
    readonly message: string
    /** The command that the message ends with, or names first; null where it names none. */
    readonly remedy: string | null
    readonly docs: string
  }
}

/** `line` is what a person gets; `verb` is null where none was named. */
export function errorDocument(code: string, line: string, verb: string | null): ErrorDocument {
  const message = line.split('\n')[0]?.replace(/^dray: /, '') ?? ''
  const remedy =
    /`((?:npx dray|[A-Z_]+=\S+) [^`]+)`/.exec(message)?.[1] ?? /See (npx dray [^.]*--help)/.exec(message)?.[1]
  return { error: { code, message, remedy: remedy ?? null, docs: PAGES[verb ?? ''] ?? 'docs/operations.md' } }
}

export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return 'fault'
  if (error.name === 'AbortError') return 'interrupted'
  return EXPLAINED.get(error.name) ?? (placeOf(error)?.isOfLoading ? 'configuration' : 'fault')
}

const FULL_DISK = /\bENOSPC\b|\bEDQUOT\b|no space left on device|database or disk is full/i

/** One line for a person; with `debug` the stack and the causes as well. */
export function reportError(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return `dray: ${oneLine(String(error))}`
  if (debug) return [`dray: ${error.name}: ${error.message}`, ...stacks(error)].join('\n')
  if (error.name === 'AbortError') return 'dray: Interrupted; what was not finished was rolled back.'
  if (EXPLAINED.has(error.name)) return `dray: ${oneLine(error.message)}`
  if (FULL_DISK.test(error.message))
    return `dray: a disk is full, so no more was written (${oneLine(error.message)}); what was not committed was rolled back. Free space, or name a folder on another disk with DRAY_HOME, and run again.`
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
