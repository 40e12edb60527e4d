import type { WorkflowUnit } from 'dray/internal/workflow/workflow.ts'

export function pipelineNamed(name: string): WorkflowUnit {
  return { kind: 'pipeline', name }
}

export function taskNamed(name: string): WorkflowUnit {
  return { kind: 'task', name }
}
