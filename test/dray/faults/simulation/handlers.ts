import type {
  CommitInput,
  ExtractInput,
  FinishInput,
  GatherInput,
  LoadInput,
  OutcomeInput,
  PlanInput,
  TablesInput,
  TaskInput,
  TransformInput,
} from 'dray/internal/messages/stages.ts'
import type { Replica } from 'dray/internal/pipeline/declare/replica.ts'
import type { Unit } from 'dray/internal/pipeline/plan/staged-plan.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { gather } from 'dray/internal/pipeline/stages/gather.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { outcome } from 'dray/internal/pipeline/stages/outcome.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { runTask } from 'dray/internal/pipeline/stages/run-task.ts'
import { tables } from 'dray/internal/pipeline/stages/tables.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { afterwards } from './models.ts'

/** What the Lambda of a name does with its payload. */
export function handle(name: string, payload: unknown, pipeline: Unit, services: Services): Promise<unknown> {
  switch (name) {
    case 'DrayTables':
      return tables(pipeline as Replica, payload as TablesInput, services)
    case 'DrayGather':
      return gather(payload as GatherInput, services)
    case 'DrayPlan':
      return plan(pipeline, payload as PlanInput, services)
    case 'ItemsExtract':
      return extract(pipeline, payload as ExtractInput, services)
    case 'ItemsTransform':
      return transform(pipeline, payload as TransformInput, services)
    case 'ItemsLoad':
      return load(pipeline, payload as LoadInput, services)
    case 'DrayCommit':
      return commit(pipeline, payload as CommitInput, services)
    case 'DrayOutcome':
      return outcome(payload as OutcomeInput, services)
    case 'DrayFinish':
      return finish(payload as FinishInput, services)
    case 'AfterwardsRun':
      return runTask(afterwards, payload as TaskInput, services)
    default:
      throw new TypeError(`the simulation does not know ${name}`)
  }
}
