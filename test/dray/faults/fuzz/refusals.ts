import assert from 'node:assert/strict'
import { inOneLine } from 'dray-infra/internal/cli/output.ts'

const { FUZZ_RUNS } = process.env

/**
 * How many cases of each kind are tried: the same 500 each time, so that a failure of the gate is one of the change.
 * `FUZZ_RUNS=10000` is for once in a while, by hand: others each time. A part of them, where a case takes long.
 */
export function cases(part = 1): { readonly numRuns: number; readonly seed?: number } {
  return FUZZ_RUNS ? { numRuns: Number(FUZZ_RUNS) * part } : { numRuns: 500 * part, seed: 1 }
}

/** As `shared/dray/errors.ts` names them. */
const NAMES = new Set([
  ...['Transient', 'Terminal', 'DataQuality', 'Configuration', 'LeaseHeld', 'LeaseLost'],
  ...['StagedObjectMissing', 'StagedObjectDamaged'],
])
const OF_A_PROGRAM =
  /\b(?:Type|Range|Syntax|Reference|URI)Error\b|Cannot read prop|is not (?:a function|iterable)|\n *at /
/** A message that quotes what it was given quotes a part of it. */
const MOST_CHARACTERS = 5_000
const OBEYED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

/** A refusal is an error of Dray's own whose message is a sentence for a person, without what must not be told. */
export function assertRefusal(error: unknown, secrets: readonly string[] = []): void {
  assert.ok(error instanceof Error, `thrown was ${String(error)}`)
  assert.ok(NAMES.has(error.name), `${error.stack}`)
  assertSentence(error.message, secrets)
}

export function assertSentence(message: string, secrets: readonly string[] = []): void {
  assert.doesNotMatch(message, OF_A_PROGRAM)
  assert.doesNotMatch(inOneLine(message), OBEYED)
  assert.ok(message.length > 0 && message.length <= MOST_CHARACTERS, `of ${message.length} characters: ${message}`)
  for (const secret of secrets) assert.ok(!message.includes(secret), `the message tells ${secret}: ${message}`)
}

/** What came of work that may be refused; null where it was. */
export async function unlessRefused<T>(work: () => T | Promise<T>, secrets: readonly string[] = []): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    assertRefusal(error, secrets)
    return null
  }
}
