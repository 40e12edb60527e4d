import type { WorkflowUnit } from '#shared/workflow/index.ts'

export function pipelineNamed(name: string): WorkflowUnit {
  return { kind: 'pipeline', name }
}

export function taskNamed(name: string): WorkflowUnit {
  return { kind: 'task', name }
}
