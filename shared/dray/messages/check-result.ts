import * as z from 'zod'
import type { Message } from './message.ts'

/** What becomes of a step whose check does not hold: it fails, or it only says so. */
export type CheckSeverity = 'fail' | 'warn'

/** The rows that a check has looked at: those that the run has loaded, all of the table, or those of the source. */
export type CheckedRows = 'run' | 'table' | 'source'

/** What a check of a table has come to. */
export interface CheckResult {
  readonly name: string
  /** `warehouse.order_fact` */
  readonly table: string
  readonly severity: CheckSeverity
  /** `warned`: it does not hold, and the step succeeds all the same. `not run`: the database did not take it. */
  readonly status: 'passed' | 'failed' | 'warned' | 'not run'
  readonly scope: CheckedRows
  /** Rows that fail it; null of one that is about no single row. */
  readonly failing: number | null
  /** Of the first of these the key, by column; of `unique` the value, of `noRows` the row. */
  readonly keys: readonly Readonly<Record<string, string | null>>[]
  /** What it found, or why it could not run, in words without values of rows; null where it holds. */
  readonly said: string | null
  readonly seconds: number
}

/** The code of the error of a step whose checks do not hold. */
export const CHECK_FAILED = 'check_failed'

/** Whether the step may not succeed. */
export function isRefusing({ severity, status }: CheckResult): boolean {
  return severity === 'fail' && (status === 'failed' || status === 'not run')
}

const count = z.int().nonnegative()

/** How the checks of a step have ended; what only warns is among `warned`, whether it ran or not. */
export const checkCounts = z.object({ passed: count, warned: count, failed: count })
export type CheckCounts = Message<typeof checkCounts>

export function countsOf(results: readonly CheckResult[]): CheckCounts {
  const passed = results.filter(({ status }) => status === 'passed').length
  const failed = results.filter(isRefusing).length
  return { passed, warned: results.length - passed - failed, failed }
}
