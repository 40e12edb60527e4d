import { emptyStep } from 'dray/internal/state/state-store.ts'
import { openStateIn } from 'dray-infra/internal/local/state.ts'

const DAY_MS = 24 * 3600 * 1000
const EVERY_MS = 15 * 60 * 1000
export const LARGE_RUN = 'run-large'

/** Writes the record of so many runs of `nightly`, and one of 500 partitions, into the state of a shop. */
export async function writeRuns(home: string, runs: number): Promise<void> {
  const state = await openStateIn(home)
  const until = Date.now() - DAY_MS
  for (let place = 0; place < runs; place++) {
    const id = `run-${String(place).padStart(5, '0')}`
    const startTime = until - (runs - place) * EVERY_MS
    const status = place % 50 === 7 ? 'failed' : 'success'
    const counts = { read: 100, inserted: 60 + (place % 40), unchanged: 40 - (place % 40) }
    const times = { startTime, endTime: startTime + 4_000 + (place % 9) * 500 }
    await state.startRun({ id, workflow: 'nightly', startTime, runner: 'local:elsewhere:1', trigger: 'schedule' })
    await state.putStep({ ...emptyStep(id, 'orders'), ...counts, ...times, status })
    const error = status === 'failed' ? 'Transient: the till was away' : null
    await state.finishRun(id, { status, endTime: times.endTime, recordsProcessed: 100, recordsFailed: 0, error })
  }
  await writeLargeRun(state)
  state.close()
}

const PARTITIONS = 500

async function writeLargeRun(state: Awaited<ReturnType<typeof openStateIn>>): Promise<void> {
  const startTime = Date.now() - DAY_MS
  const counts = { ...emptyStep(LARGE_RUN, 'orders'), read: 1000, inserted: 1000, filtered: 0 }
  await state.startRun({
    id: LARGE_RUN,
    workflow: 'nightly',
    startTime,
    runner: 'local:elsewhere:1',
    trigger: 'manual',
  })
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const { read, inserted, updated, unchanged, filtered, duplicate, quarantined, deleted, left, findings, bytes } =
      counts
    const its = { read, inserted, updated, unchanged, filtered, duplicate, quarantined, deleted, left, findings, bytes }
    await state.putPartition({ ...its, runId: LARGE_RUN, pipeline: 'orders', partition, executionTimeSeconds: 1 })
  }
  const endTime = startTime + 90_000
  await state.putStep({ ...counts, read: 500_000, inserted: 500_000, startTime, endTime, status: 'success' })
  const end = { status: 'success', endTime, recordsProcessed: 500_000, recordsFailed: 0, error: null } as const
  await state.finishRun(LARGE_RUN, end)
}
