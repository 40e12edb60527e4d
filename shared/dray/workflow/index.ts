export { cron, type Schedule } from './cron.ts'
export { type ReconcileStepOptions, reconcile } from './reconcile.ts'
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
