import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyStep, type StepRecord } from 'dray/internal/state/state-store.ts'
import { shownSteps } from 'dray-infra/internal/cli/shown-steps.ts'

const table = (name: string, seconds: number, more: Partial<StepRecord> = {}): StepRecord => ({
  ...emptyStep('r', `raw/${name}`),
  status: 'success',
  executionTimeSeconds: seconds,
  ...more,
})
const warned = {
  name: 'notNull(name)',
  table: 'warehouse.genres',
  severity: 'warn',
  status: 'warned',
  scope: 'table',
  failing: 1,
  keys: [],
  said: '1 row with NULL in name',
  seconds: 0,
} as const

test('a table of a replica whose check warns is worth a line, beside the slowest', () => {
  const passed = { checks: [{ ...warned, status: 'passed', said: null } as const] }
  const others = ['a', 'b', 'c', 'd'].map((name, place) => table(name, 10 + place, passed))

  const { lines, left } = shownSteps({
    steps: [emptyStep('r', 'raw')],
    tables: [...others, table('genres', 1, { checks: [warned] })],
  })

  assert.deepEqual(
    lines.map(({ step }) => step),
    ['raw', 'raw/genres', 'raw/d', 'raw/c', 'raw/b'],
  )
  assert.deepEqual(left, ['raw has 1 more table'])
})
