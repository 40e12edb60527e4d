import type { MiddlewareObj } from '@middy/core'
import { ConfigurationError } from '#dray/errors.ts'
import { openDynamoDbTable } from '#dray/state/dynamodb-state-store.ts'
import { TableStateStore } from '#dray/state/table-state-store.ts'
import { TableWorkflowSlots } from '#dray/state/table-workflow-slots.ts'
import type { EndServices } from '#dray/triggers/end-run.ts'
import type { TriggeredWorkflow } from '#dray/triggers/request-run.ts'
import type { HandlerContext } from './deadline.ts'
import { StepFunctionsExecutions } from './executions.ts'

/** What start and janitor find in their context. */
export type TriggerContext = HandlerContext & {
  workflow: TriggeredWorkflow
  /** Those of its pipelines that are replicas. */
  replicas: readonly string[]
  services: EndServices
}

let opened: ReturnType<typeof open> | null = null

/** Puts the workflow of this function and what it is run with into the context; opened once in the life of a Lambda. */
export function withTriggerServices(): MiddlewareObj<unknown, unknown, Error, TriggerContext> {
  return {
    before: async ({ context }) => {
      opened ??= open()
      Object.assign(context, { ...(await workflowOf(opened.executions)), services: opened })
    },
  }
}

/** Its pipelines are asked for, since a function's variables do not hold hundreds of names. */
async function workflowOf(executions: StepFunctionsExecutions): Promise<Pick<TriggerContext, 'workflow' | 'replicas'>> {
  const { pipelines, replicas } = await executions.pipelines()
  const minInterval = Number(process.env.WORKFLOW_MIN_INTERVAL ?? 0) * 1000
  return { workflow: { name: variable('WORKFLOW_NAME'), pipelines, minInterval }, replicas }
}

function open() {
  const table = openDynamoDbTable({ tableName: variable('STATE_TABLE_NAME') })
  return {
    state: new TableStateStore(table),
    slots: new TableWorkflowSlots(table),
    executions: new StepFunctionsExecutions(variable('STATE_MACHINE_ARN')),
    now: Date.now,
  }
}

function variable(name: string): string {
  const value = process.env[name]
  if (value !== undefined) return value
  throw new ConfigurationError(
    `${name} is not set, so no run of the workflow can be started; the stack sets it: deploy it`,
  )
}
