export { type EndedRun, type EndServices, endRun, sweep } from './end-run.ts'
export { type EntityUpdated, requestOf, type WorkflowEnded } from './events.ts'
export {
  type Executions,
  type RequestOutcome,
  requestRun,
  type TriggeredWorkflow,
  type TriggerServices,
} from './request-run.ts'
export { type Cause, type EntityChange, type RunRequest, unionOf } from './run-request.ts'
