import { TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type {
  CommitInput,
  CommitOutput,
  ExtractInput,
  FinishInput,
  FinishOutput,
  GatherInput,
  LoadInput,
  LoadOutput,
  OutcomeInput,
  PlanInput,
  PlanOutput,
  ReconcileInput,
  ReconcileOutput,
  StepOutcome,
  TablesInput,
  TablesOutput,
  TaskInput,
  TransformInput,
} from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import type { Task, TaskResult } from '#dray/pipeline/declare/task.ts'
import { reconcileStep } from '#dray/pipeline/inspect/reconcile-step.ts'
import { pipelineOf, readPlan } from '#dray/pipeline/plan/staged-plan.ts'
import type { Services } from '#dray/pipeline/services.ts'
import { commit } from '#dray/pipeline/stages/commit.ts'
import { extract } from '#dray/pipeline/stages/extract.ts'
import { finish } from '#dray/pipeline/stages/finish.ts'
import { gather } from '#dray/pipeline/stages/gather.ts'
import { load } from '#dray/pipeline/stages/load.ts'
import { outcome } from '#dray/pipeline/stages/outcome.ts'
import { plan } from '#dray/pipeline/stages/plan.ts'
import { runTask } from '#dray/pipeline/stages/run-task.ts'
import { tables } from '#dray/pipeline/stages/tables.ts'
import { transform } from '#dray/pipeline/stages/transform.ts'
import { type Handler, handlerOf } from './handler.ts'
import { tellLineage } from './tell-lineage.ts'
import { announceEnd } from './workflow-events.ts'

// What AWS alone calls (start, janitor …) is imported by its functions: every thread of a local run would read its
// clients of AWS here.
export { schemaHandler } from './schema.ts'

// biome-ignore lint/suspicious/noExplicitAny: a pipeline of any models.
type AnyPipeline = Pipeline<any, any>
type AnyUnit = AnyPipeline | Replica

/** The Lambda that reads a pipeline's partitions. */
export function extractHandler(unit: AnyUnit): Handler<ExtractInput, TransformInput> {
  return handlerOf('extract', (input: ExtractInput, services) => extract(unit, input, services))
}

/** The Lambda that transforms a pipeline's partitions. */
export function transformHandler(unit: AnyUnit): Handler<TransformInput, LoadInput> {
  return handlerOf('transform', (input: TransformInput, services) => transform(unit, input, services))
}

/** The Lambda that writes a pipeline's partitions. */
export function loadHandler(unit: AnyUnit): Handler<LoadInput, LoadOutput> {
  return handlerOf('load', (input: LoadInput, services) => load(unit, input, services))
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

/** What the folder of a pipeline exports: of a table, its replica. */
type Find = (name: string) => Promise<AnyUnit>

/** Null for one that an earlier run has done, whose plan says no more of it. */
async function plannedTable(replica: Replica, staged: StagedObject, services: Services): Promise<Pipeline | null> {
  const planned = await readPlan(services, staged)
  return planned.table === undefined ? null : pipelineOf(replica, planned)
}

/** The Lambda that plans any pipeline. */
export function planHandler(find: Find): Handler<PlanInput, PlanOutput> {
  return handlerOf('plan', async (input: PlanInput, services) => {
    const unit = await find(input.pipeline)
    const tell = (pipeline: Pipeline) =>
      tellLineage(services, (lineage) => lineage.started(input.run, pipeline, services))
    if (unit.kind === 'replica') {
      const output = await plan(unit, input, services)
      const planned = await plannedTable(unit, output.plan, services)
      if (planned !== null) await tell(planned)
      return output
    }
    const told = tell(unit)
    return plan(unit, input, services).finally(() => told)
  })
}

/** The Lambda that finds the tables of any replica. */
export function tablesHandler(find: Find): Handler<TablesInput, TablesOutput> {
  return handlerOf('tables', async (input: TablesInput, services) => {
    const unit = await find(input.pipeline)
    if (unit.kind === 'replica') return tables(unit, input, services)
    throw new TerminalError(
      `functions/${input.pipeline}/pipeline.ts declares a pipeline and no replica, so it has no tables to find; deploy once more, so that its state machine is made anew`,
    )
  })
}

/** The Lambda that says how the tables of a replica have ended. */
export function gatherHandler(): Handler<GatherInput, StepOutcome> {
  return handlerOf('gather', gather)
}

/** The Lambda that commits any pipeline. */
export function commitHandler(find: Find): Handler<CommitInput, CommitOutput> {
  return handlerOf('commit', async (input: CommitInput, services) => {
    const unit = await find(input.pipeline)
    const output = await commit(unit, input, services)
    const pipeline = unit.kind === 'pipeline' ? unit : await plannedTable(unit, input.plan, services)
    if (pipeline !== null) {
      await tellLineage(services, (lineage) => lineage.completed(input.run, pipeline, output, services))
    }
    return output
  })
}

/** The Lambda that compares the source of any pipeline with its target. */
export function reconcileHandler(find: Find): Handler<ReconcileInput, ReconcileOutput> {
  return handlerOf('reconcile', async (input: ReconcileInput, services) => {
    const unit = await find(input.pipeline)
    if (unit.kind === 'pipeline') return reconcileStep(unit, input, services)
    throw new TerminalError(
      `${input.pipeline} is a replica of many tables, which no step compares; compare one by \`npx dray reconcile ${input.pipeline}/<table>\``,
    )
  })
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
