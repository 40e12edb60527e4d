import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import { stageInputs } from 'dray/internal/messages/stages.ts'
import type { Replica } from 'dray/internal/pipeline/declare/replica.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { gather } from 'dray/internal/pipeline/stages/gather.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { outcome } from 'dray/internal/pipeline/stages/outcome.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { tables } from 'dray/internal/pipeline/stages/tables.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { readJsonArray } from 'dray/internal/staging/documents.ts'
import type { StepRecord } from 'dray/internal/state/state-store.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, type WorkflowStep, workflow } from 'dray/workflow'
import { execute, realClock } from 'dray-infra/internal/states-language/index.ts'

export interface ReplicaRun {
  readonly status: string
  readonly error: string | null
  /** Of the replica and of each of its tables. */
  readonly steps: ReadonlyMap<string, StepRecord>
}

export interface AskedReplica {
  readonly only?: readonly string[]
  readonly tables?: readonly string[]
  readonly mode?: RunMode
  /** The steps of the workflow; the replica alone unless told. */
  readonly steps?: readonly WorkflowStep[]
}

/** A run of a workflow with a replica, by its state machines, each handler called in this process. */
export async function runReplica(
  replica: Replica,
  id: string,
  services: Services,
  asked: AskedReplica = {},
): Promise<ReplicaRun> {
  const { steps = [run(replica)], ...input } = asked
  const compiled = toStatesLanguage(workflow('replicas', { steps }))
  const handlers = new Map(
    [...compiled.functions, ...[...compiled.machines.values()].flatMap((machine) => machine.functions)].map(
      ({ placeholder, handler }) => [placeholder, handler.replace(/^.*\/(.+)\.ts$/, '$1')],
    ),
  )
  const stages = {
    tables: (payload: never) => tables(replica, payload, services),
    plan: (payload: never) => plan(replica, payload, services),
    extract: (payload: never) => extract(replica, payload, services),
    transform: (payload: never) => transform(replica, payload, services),
    load: (payload: never) => load(replica, payload, services),
    commit: (payload: never) => commit(replica, payload, services),
    gather: (payload: never) => gather(payload, services),
    outcome: (payload: never) => outcome(payload, services),
    finish: (payload: never) => finish(payload, services),
  }
  const result = await execute(
    compiled.definition,
    { trigger: 'manual', ...input },
    {
      executionName: id,
      stateMachineName: 'replicas',
      machines: compiled.machines,
      clock: realClock,
      readItems: ({ key }) => readJsonArray(services.staging, key),
      executor: {
        async invoke(functionName, payload) {
          const stage = handlers.get(functionName) as keyof typeof stages
          return stages[stage](stageInputs[stage].parse(payload) as never)
        },
      },
    },
  )
  const detail = await services.state.run(id)
  return {
    status: result.status,
    error: detail?.run.error ?? (result.status === 'SUCCEEDED' ? null : `${result.error}: ${result.cause}`),
    steps: new Map((detail?.steps ?? []).map((step) => [step.step, step])),
  }
}
