import { ConfigurationError } from 'dray/internal/errors.ts'
import { type KeysMode, loadKeys, type SourceKey } from 'dray/internal/messages/run-mode.ts'
import type { WorkflowStep } from 'dray/internal/workflow/workflow.ts'
import { type AskedSteps, nameOf, stepsOf } from '#dray-infra/runs/asked-steps.ts'

/** The keys of `--keys`: `1,2,3`, or JSON where a key has a comma or several columns: `[["fi","1"],["fi","2"]]`. */
export function keysOf(text: string): SourceKey[] {
  const keys = text.trimStart().startsWith('[') ? parsed(text) : text.split(',').map((key) => key.trim())
  if (keys.length > 0 && keys.every(isKey)) return keys as SourceKey[]
  throw new ConfigurationError(
    `--keys ${text.slice(0, 60) || "''"} gives no keys, so nothing was done; write --keys 1,2,3, or --keys '[["fi","1"],["fi","2"]]' where a key has several columns`,
  )
}

/** The mode of a run of these keys; they are of one pipeline. */
export function keysMode(asked: AskedSteps, text: string): KeysMode {
  const steps = stepsOf(asked)
  const [step] = steps
  const isOne = step?.kind === 'replica' ? asked.tables?.length === 1 : isRead(step?.kind)
  if (steps.length === 1 && isOne) return loadKeys(keysOf(text))
  const pipelines = asked.workflow.steps
    .filter(({ kind }) => kind === 'replica' || isRead(kind))
    .map(({ kind, name }) => (kind === 'replica' ? `${name}/<table>` : name))
  throw new ConfigurationError(
    `--keys are the keys of one pipeline's source, and ${nameOf({ ...asked, workflow: asked.workflow.name })} is no pipeline, so nothing was run; name one of its pipelines: ${pipelines.join(', ')}`,
  )
}

function isRead(kind: WorkflowStep['kind'] | undefined): boolean {
  return kind === 'pipeline' || kind === 'table'
}

function isKey(key: unknown): boolean {
  if (Array.isArray(key)) return key.length > 0 && key.every((part) => typeof part === 'string')
  return typeof key === 'string' && key !== ''
}

function parsed(text: string): unknown[] {
  const asText = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(asText)
      : typeof value === 'number' && Number.isSafeInteger(value)
        ? String(value)
        : value
  try {
    return (JSON.parse(text) as unknown[]).map(asText)
  } catch {
    return []
  }
}
