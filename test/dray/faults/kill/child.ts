import { writeSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { At } from './crash-points.ts'
import type { PipelineShape } from './models.ts'

/* A process of its own for one run, which may end in the middle of it. It has read its code before it is told to go. */

enableCompileCache()

const { urlVariable } = await import('dray/internal/database/database-url.ts')
const { connect } = await import('./connect.ts')
const { crashPoints, putPointsInSockets, withPointsInStaging, withPointsInState } = await import('./crash-points.ts')
const { PIPELINE, pipelineAt } = await import('./models.ts')
const { resultOf } = await import('dray-infra/internal/runs/run-result.ts')
const { exitCodes } = await import('dray-infra/internal/cli/exit-codes.ts')
const { runHere } = await import('./run-here.ts')

const { DRAY_KILL: text = '{}' } = process.env
const {
  place,
  runId,
  shape,
  crashAt,
  crashFrom,
  state: endpoint,
  staging: folder,
  pauseAt,
} = JSON.parse(text) as ChildOptions
const points: string[] = []
/** Counts from the start of the run. */
let count: At = () => {}
const waitsFor = pauseAt?.map((pattern) => new RegExp(pattern)) ?? []
const at = (point: string) => {
  if (waitsFor[0]?.test(point)) {
    waitsFor.shift()
    if (waitsFor.length === 0) {
      // Stopped as a machine that hangs is: in the middle, with its connections open.
      writeSync(1, `paused ${point}\n`)
      process.kill(process.pid, 'SIGSTOP')
    }
  }
  count(point)
}

const ports = new Map<number, string>([[Number(new URL(endpoint).port), 'state']])
for (const side of ['source', 'target']) {
  const url = process.env[urlVariable(`${place}-${side}`)] ?? ''
  // Both may be on one server.
  const port = Number(new URL(url).port)
  ports.set(port, ports.has(port) ? 'database' : side)
}
putPointsInSockets((port) => ports.get(port), at)
const { state, staging } = connect(endpoint, folder)
const { source, target, items, tasks } = pipelineAt(place, shape)
await (await source.adapter()).close()
await (await target.adapter()).close()

process.once('message', async ({ mode }: { readonly mode: RunMode | null }) => {
  count = crashPoints(crashAt ?? null, crashFrom ?? '', (point) => points.push(point))
  const ended = await runHere({
    runId,
    pipeline: items,
    tasks,
    mode,
    state: withPointsInState(state, at),
    staging: withPointsInStaging(staging, at),
    at,
  })
  process.send?.({ ended, points })
  process.disconnect()
  const { status } = resultOf(
    { id: runId, workflow: 'killed', seconds: 0, interrupted: false, started: new Set() },
    [PIPELINE, ...tasks.map(({ name }) => name)],
    await state.run(runId),
    ended.outcomes,
  )
  process.exit(status === 'refused' ? exitCodes.leaseHeld : status === 'success' ? exitCodes.ok : exitCodes.failed)
})
process.send?.({ ready: true })

interface ChildOptions {
  readonly place: string
  readonly runId: string
  readonly shape: PipelineShape
  readonly crashAt?: number | null
  readonly crashFrom?: string
  /** Patterns of points: at the last one, once the others have been met in turn, the process stops itself (SIGSTOP). */
  readonly pauseAt?: readonly string[]
  readonly state: string
  readonly staging: string
}
