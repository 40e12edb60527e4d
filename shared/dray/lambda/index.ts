import type {
  CommitInput,
  CommitOutput,
  ExtractInput,
  FinishInput,
  FinishOutput,
  LoadInput,
  LoadOutput,
  OutcomeInput,
  PlanInput,
  PlanOutput,
  ReconcileInput,
  ReconcileOutput,
  StepOutcome,
  TaskInput,
  TransformInput,
} from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Task, TaskResult } from '#dray/pipeline/declare/task.ts'
import { reconcileStep } from '#dray/pipeline/inspect/reconcile-step.ts'
import { commit } from '#dray/pipeline/stages/commit.ts'
import { extract } from '#dray/pipeline/stages/extract.ts'
import { finish } from '#dray/pipeline/stages/finish.ts'
import { load } from '#dray/pipeline/stages/load.ts'
import { outcome } from '#dray/pipeline/stages/outcome.ts'
import { plan } from '#dray/pipeline/stages/plan.ts'
import { runTask } from '#dray/pipeline/stages/run-task.ts'
import { transform } from '#dray/pipeline/stages/transform.ts'
import { type Handler, handlerOf } from './handler.ts'
import { tellLineage } from './tell-lineage.ts'
import { announceEnd } from './workflow-events.ts'

export { janitorHandler } from './janitor.ts'
export { notifyHandler } from './notify.ts'
export { pipelineJanitorHandler } from './pipeline-janitor.ts'
export { schemaHandler } from './schema.ts'
export { startHandler } from './start.ts'
export { versionsHandler } from './versions.ts'

// biome-ignore lint/suspicious/noExplicitAny: a pipeline of any models.
type AnyPipeline = Pipeline<any, any>

/** The Lambda that reads a pipeline's partitions. */
export function extractHandler(pipeline: AnyPipeline): Handler<ExtractInput, TransformInput> {
  return handlerOf('extract', (input: ExtractInput, services) => extract(pipeline, input, services))
}

/** The Lambda that transforms a pipeline's partitions. */
export function transformHandler(pipeline: AnyPipeline): Handler<TransformInput, LoadInput> {
  return handlerOf('transform', (input: TransformInput, services) => transform(pipeline, input, services))
}

/** The Lambda that writes a pipeline's partitions. */
export function loadHandler(pipeline: AnyPipeline): Handler<LoadInput, LoadOutput> {
  return handlerOf('load', (input: LoadInput, services) => load(pipeline, input, services))
}

/** The Lambda of a task. */
export function taskHandler(task: Task): Handler<TaskInput, TaskResult> {
  return handlerOf('task', async (input: TaskInput, services) => {
    const { run } = input
    const told = tellLineage(services, (lineage) => lineage.started(run, task, services))
    const result = await runTask(task, input, services).finally(() => told)
    await tellLineage(services, (lineage) => lineage.completed(run, task, result, services))
    return result
  })
}

type Find = (name: string) => Promise<AnyPipeline>

/** The Lambda that plans any pipeline. */
export function planHandler(find: Find): Handler<PlanInput, PlanOutput> {
  return handlerOf('plan', async (input: PlanInput, services) => {
    const pipeline = await find(input.pipeline)
    const told = tellLineage(services, (lineage) => lineage.started(input.run, pipeline, services))
    return plan(pipeline, input, services).finally(() => told)
  })
}

/** The Lambda that commits any pipeline. */
export function commitHandler(find: Find): Handler<CommitInput, CommitOutput> {
  return handlerOf('commit', async (input: CommitInput, services) => {
    const pipeline = await find(input.pipeline)
    const output = await commit(pipeline, input, services)
    await tellLineage(services, (lineage) => lineage.completed(input.run, pipeline, output, services))
    return output
  })
}

/** The Lambda that compares the source of any pipeline with its target. */
export function reconcileHandler(find: Find): Handler<ReconcileInput, ReconcileOutput> {
  return handlerOf('reconcile', async (input: ReconcileInput, services) =>
    reconcileStep(await find(input.pipeline), input, services),
  )
}

/** The Lambda that writes how a pipeline ended, and says it to the workflow. */
export function outcomeHandler(): Handler<OutcomeInput, StepOutcome> {
  return handlerOf('outcome', outcome)
}

/** The Lambda that ends every run, and tells the other workflows. */
export function finishHandler(): Handler<FinishInput, FinishOutput> {
  return handlerOf('finish', async (input: FinishInput, services) => {
    const output = await finish(input, services)
    await tellLineage(services, (lineage) => lineage.ended(input, output, services))
    await announceEnd(input, output)
    return output
  })
}
