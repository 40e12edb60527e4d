import type { OpenBlocks } from '#dray/block/block.ts'
import { DataQualityError } from '#dray/errors.ts'
import { CHECK_FAILED, type CheckResult, isRefusing } from '#dray/messages/check-result.ts'
import type { Check } from '#dray/pipeline/declare/checks.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { LandedRun } from '#dray/pipeline/landing/ledger.ts'
import type { Plan } from '#dray/pipeline/plan/staged-plan.ts'
import type { Services } from '../services.ts'
import { type Answers, askChecks } from './ask-checks.ts'
import { staleness } from './freshness.ts'
import { scopeOf } from './scope.ts'

type Planned = Pick<Plan, 'advances' | 'window' | 'rows' | 'partitions'>

/** At Commit, when the rows have landed: asks the checks of a pipeline of its target. */
export async function checkPipeline(
  pipeline: Pipeline,
  { planned, landed }: { readonly planned: Planned; readonly landed: LandedRun },
  services: Services,
): Promise<Answers> {
  if (pipeline.checks.length === 0) return { results: [], counted: null }
  const { loadedKeys } = landed
  // A Load of an earlier deployment has kept no keys.
  const areKept = loadedKeys.length === planned.partitions.length
  const open: OpenBlocks = async function* () {
    for (const keys of loadedKeys) yield* (await services.staging.read(keys, { signal: services.signal })).blocks
  }
  return askChecks(pipeline.checks, {
    ...(await subjectOf(pipeline, services)),
    scopeOf: (check) => {
      const scope = scopeOf(check, pipeline, planned)
      return scope === 'run' && !areKept ? 'table' : scope
    },
    loaded: { by: pipeline.load.by, open },
  })
}

/** The same of the whole table, whenever somebody asks. */
export async function checkWholeTable(pipeline: Pipeline, services: Services): Promise<readonly CheckResult[]> {
  const whole = (check: Check) => (check.expects.kind === 'freshness' ? 'source' : 'table')
  return (await askChecks(pipeline.checks, { ...(await subjectOf(pipeline, services)), scopeOf: whole })).results
}

async function subjectOf({ name, extract, load, checks }: Pipeline, { state, signal }: Services) {
  const isCompared = checks.some(({ expects }) => expects.kind === 'rowCount' && expects.within !== null)
  return {
    target: load.target,
    staleness: async ({ expects }: Check) =>
      expects.kind === 'freshness' ? staleness(extract, expects.seconds, expects.text) : null,
    before: isCompared ? ((await state.pipeline(name))?.countedRows ?? null) : null,
    signal,
  }
}

/** Throws `DataQuality` where a check does not hold that may not fail. */
export function refuseFailed(name: string, results: readonly CheckResult[], consequence: string): void {
  const failed = results.filter(isRefusing)
  if (failed.length === 0) return
  const reasons = failed.map((one) => `${one.name} of ${one.table}: ${one.said}`).join('; ')
  throw new DataQualityError(
    '',
    CHECK_FAILED,
    `${name}: ${failed.length} of its ${results.length} checks ${failed.length === 1 ? 'does' : 'do'} not hold: ${reasons}. ${consequence}`,
  )
}
