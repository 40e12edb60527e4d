import { type CompiledPipeline, pipelineMachine, tableMachine } from './pipeline-machine.ts'
import { type MachineUnit, placeholderOf } from './placeholders.ts'
import { replicaMachine } from './replica-machine.ts'

/** The machines of a pipeline or a replica, by the placeholder that names each. */
export function machinesOfUnit({ kind, name }: MachineUnit): readonly (readonly [string, CompiledPipeline])[] {
  if (kind === 'pipeline') return [[placeholderOf(name, 'machine'), pipelineMachine(name)]]
  return [
    [placeholderOf(name, 'machine'), replicaMachine(name)],
    [placeholderOf(name, 'table-machine'), tableMachine(name)],
  ]
}
