import { type Checked, found } from '#dray/database/health.ts'
import type { ReadingMode } from '#dray/messages/run-mode.ts'
import { prepareChecks } from '#dray/pipeline/checks/prepare-checks.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { refuseClaimed } from '#dray/pipeline/landing/claim.ts'
import { notesOfNewColumns } from '#dray/pipeline/landing/follow-columns.ts'
import { checkContract } from '#dray/pipeline/plan/contract.ts'
import { newColumns } from '#dray/pipeline/plan/new-columns.ts'
import { refuseOntoItself } from '#dray/pipeline/plan/onto-itself.ts'
import { refuseToLoadTwice } from '#dray/pipeline/plan/rows-again.ts'
import { startOfRun } from '#dray/pipeline/stages/draft-run.ts'
import type { Services } from '../services.ts'
import { attempt } from './attempt.ts'
import { examineSource } from './examine-source.ts'
import { examineTarget } from './examine-target.ts'

/** What a pipeline may be looked at with. */
export interface PipelineSurroundings {
  /** The database is there and can be signed in to; what is not is said elsewhere. */
  isConnected(database: string): boolean
  /** Null where the state cannot be read. */
  readonly services: Services | null
  /** The first run makes the target's table from its model. */
  readonly makesTargets: boolean
  /** Of the run that is asked for; a usual one unless given. */
  readonly mode?: ReadingMode | null
}

/** Looks at a pipeline's tables, rights and `last_run` as Plan does. Takes no lease and writes nothing. */
export async function examinePipeline(
  pipeline: Pipeline,
  { isConnected, services, makesTargets, mode = null }: PipelineSurroundings,
): Promise<readonly Checked[]> {
  const [source, target] = [pipeline.extract.source.definition, pipeline.load.target.definition]
  const names = [...new Set([source.database, target.database])]
  const away = names.filter((name) => !isConnected(name))
  const [ofSource, ofTarget] = await Promise.all([
    isConnected(source.database) ? examineSource(pipeline) : [],
    isConnected(target.database) ? examineTarget(pipeline) : [],
  ])
  const known = services === null ? null : await services.state.pipeline(pipeline.name)
  const isFirst = makesTargets && (known?.version ?? 0) === 0
  const checks = [...ofSource, ...ofTarget.map((one) => (isFirst ? madeLater(one) : one))]
  if (away.length > 0) {
    const said = `not all of it was looked at, since ${away.join(' and ')} cannot be connected to (above)`
    return [...checks, found('databases', 'unknown', said)]
  }
  if (checks.some(({ check, verdict }) => verdict === 'broken' || check === 'no target')) return checks
  const contract = await attempt('contract', pipeline.name, async () =>
    [...(await checkContract(pipeline)).notes, ...notesOfNewColumns(pipeline, await newColumns(pipeline))].map((note) =>
      found('contract', 'warning', note),
    ),
  )
  const prepared = await attempt('checks', pipeline.name, async () => {
    await prepareChecks(pipeline.name, pipeline.checks, pipeline.load.target)
    return []
  })
  const landing = await attempt('target', pipeline.name, async () => {
    await refuseOntoItself(pipeline)
    await refuseClaimed(pipeline)
    refuseToLoadTwice(pipeline, mode)
    return []
  })
  if (services === null) return [...checks, ...contract, ...prepared, ...landing]
  const start = await attempt('last_run', pipeline.name, async () => {
    const { notes } = await startOfRun(pipeline, mode, known, services)
    return notes.map((note) => found('last_run', 'warning', note))
  })
  return [...checks, ...contract, ...prepared, ...landing, ...start]
}

function madeLater(checked: Checked): Checked {
  if (checked.check !== 'no target') return checked
  return found('no target', 'ok', 'its target is not there yet: the first run makes it from the model')
}
