import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { execute, realClock } from 'dray-infra/internal/states-language/index.ts'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { limitResult, progress, type Result } from './measure.ts'

const PARTITIONS = 200
const ROUNDS = 6

/** What a state of the shipped workflow costs when its functions answer at once. */
export async function interpreter(): Promise<Result[]> {
  progress('executing the daily workflow with functions that answer at once')
  const { definition, machines } = toStatesLanguage(nightly)
  const microseconds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    let states = 0
    const start = performance.now()
    const { status, cause } = await execute(
      definition,
      { trigger: 'bench' },
      {
        executionName: `bench-${round}`,
        machines,
        clock: realClock,
        executor: { invoke: async (_name, payload) => answer(payload) },
        onEvent: ({ type }) => {
          if (type === 'state-entered') states += 1
        },
      },
    )
    const elapsed = performance.now() - start
    if (status !== 'SUCCEEDED') throw new Error(`the daily workflow ended ${status}: ${cause}`)
    if (round > 0) microseconds.push((elapsed * 1000) / states)
    progress(`  ${states} states: ${Math.round(elapsed)} ms`)
  }
  return [
    limitResult(`one state of the local interpreter, 2 pipelines of ${PARTITIONS} partitions`, 'µs', microseconds, 150),
  ]
}

/** As the functions would: what goes in, and what the next state looks for. */
function answer(payload: unknown): unknown {
  const plan = { key: 'plan', rows: 0, bytes: 0, sha256: '' }
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition }))
  return {
    ...(payload as object),
    plan,
    epoch: 1,
    partitions,
    concurrency: 2,
    status: 'success',
    failed: [],
    skipped: [],
    refused: [],
  }
}
