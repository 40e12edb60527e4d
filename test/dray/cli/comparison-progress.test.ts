import assert from 'node:assert/strict'
import { it } from 'node:test'
import { comparisonProgress } from 'dray-infra/internal/cli/comparison-progress.ts'

it('a comparison of more than two seconds says how far it is, then each ten seconds, and nothing where none is wanted', () => {
  const said: string[] = []
  let time = 0
  const [loud, quiet] = (['auto', 'none'] as const).map((progress) =>
    comparisonProgress({ progress }, { now: () => time, write: (text) => said.push(text) }),
  )

  for (const [at, rows] of [
    [1_000, 2_000],
    [2_500, 4_000],
    [4_000, 6_000],
    [12_500, 20_000],
  ] as const) {
    time = at
    loud?.('orders', rows)
    quiet?.('orders', rows)
  }

  assert.deepEqual(said, [
    'orders: 4,000 rows of the source compared so far\n',
    'orders: 20,000 rows of the source compared so far\n',
  ])
})
