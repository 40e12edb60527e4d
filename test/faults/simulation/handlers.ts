import {
  type CommitInput,
  commit,
  type ExtractInput,
  extract,
  type FinishInput,
  finish,
  type LoadInput,
  load,
  type Pipeline,
  type PlanInput,
  plan,
  runTask,
  type Services,
  type TaskInput,
  type TransformInput,
  transform,
} from '#shared/pipeline/index.ts'
import { afterwards } from './models.ts'

/** What the Lambda of a name does with its payload. */
export function handle(name: string, payload: unknown, pipeline: Pipeline, services: Services): Promise<unknown> {
  switch (name) {
    case 'ControlPlan':
      return plan(pipeline, payload as PlanInput, services)
    case 'ItemsExtract':
      return extract(pipeline, payload as ExtractInput, services)
    case 'ItemsTransform':
      return transform(pipeline, payload as TransformInput, services)
    case 'ItemsLoad':
      return load(pipeline, payload as LoadInput, services)
    case 'ControlCommit':
      return commit(pipeline, payload as CommitInput, services)
    case 'ControlFinish':
      return finish(payload as FinishInput, services)
    case 'AfterwardsRun':
      return runTask(afterwards, payload as TaskInput, services)
    default:
      throw new TypeError(`the simulation does not know ${name}`)
  }
}
