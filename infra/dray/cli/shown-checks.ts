import type { CheckResult } from 'dray/internal/messages/check-result.ts'
import type { StepRecord } from 'dray/internal/state/state-store.ts'
import { visible } from '#dray-infra/texts/invisible.ts'
import { count, oneLine, plural } from './format.ts'

/** A check in a document. */
export function checkDocument({ failing, seconds, ...check }: CheckResult) {
  return { ...check, failing_rows: failing, seconds: Math.round(seconds * 1000) / 1000 }
}

/** What checks have come to: how many hold and how long they took, and each that does not hold. */
export function checksOf(steps: readonly Pick<StepRecord, 'step' | 'checks'>[]): string[] {
  return steps.flatMap(({ step, checks = [] }) => {
    if (checks.length === 0) return []
    const others = checks.filter(({ status }) => status !== 'passed')
    const seconds = checks.reduce((total, one) => total + one.seconds, 0)
    const passed = checks.length - others.length
    return [
      `  ${step}: ${count(passed)} of ${plural(checks.length, 'check')} passed in ${seconds.toFixed(2)} s, on ${rowsOf(checks)}`,
      ...others.map((one) => `  ${step}: ${checkText(one)}`),
    ]
  })
}

function rowsOf(checks: readonly CheckResult[]): string {
  const scopes = [...new Set(checks.map(({ scope }) => scope))]
  const named = { run: 'the rows of the run', table: 'the whole table', source: 'the source' } as const
  return scopes.map((scope) => named[scope]).join(' and ')
}

/** A check that does not hold: what it found, and the first rows. */
export function checkText({ name, table, status, said, keys }: CheckResult): string {
  const key = (one: Readonly<Record<string, string | null>>) =>
    Object.entries(one)
      .map(([column, value]) => `${column}=${visible(value ?? 'NULL')}`)
      .join(', ')
  const first = keys.length === 0 ? '' : `; the first: ${keys.map(key).join(' | ')}`
  return oneLine(`check ${name} of ${table} ${status}${said === null ? '' : `: ${said}`}${first}`)
}
