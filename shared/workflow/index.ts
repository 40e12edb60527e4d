export { cron, type Schedule, toSchedulerExpression } from './cron.ts'
export type { FunctionReference } from './placeholders.ts'
export type { StateMachine } from './states-language.ts'
export { stepOfState } from './step-states.ts'
export { type CompiledWorkflow, toStatesLanguage } from './to-states-language.ts'
export {
  type EventTrigger,
  event,
  run,
  type Workflow,
  type WorkflowOptions,
  type WorkflowStep,
  type WorkflowUnit,
  workflow,
} from './workflow.ts'
