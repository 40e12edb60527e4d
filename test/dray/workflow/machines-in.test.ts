import assert from 'node:assert/strict'
import { test } from 'node:test'
import { executionSuffix } from 'dray/internal/messages/step-name.ts'
import {
  executionArn,
  machinesIn,
  replicasIn,
  startedExecutions,
  startedMachinesIn,
} from 'dray/internal/workflow/machines-in.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import { pipelineNamed } from './units.ts'

const MACHINES = 'arn:aws:states:eu-north-1:123456789012:stateMachine'
const raw = { kind: 'replica', name: 'sales-raw' } as const
const orders = { kind: 'table', name: 'sales-raw/orders', of: 'sales-raw' } as const
const compiled = toStatesLanguage(
  workflow('nightly', { steps: [run(raw), run(orders), run(pipelineNamed('rates'), { after: [orders] })] }),
)

/** As deployed: with ARNs for the placeholders. */
function deployed(definition: object): string {
  return JSON.stringify(definition).replace(/\$\{(\w+)\}/g, (_, name) => `${MACHINES}:${name}`)
}

const ofWorkflow = deployed(compiled.definition)
const ofReplica = deployed(compiled.machines.get('SalesRawMachine')?.definition ?? {})
const machineOf = (name: string) => `${MACHINES}:${name}`

/** What executions work by; of others there are none. */
const definitions = new Map([
  [executionArn(machineOf('nightly'), 'run-1'), ofWorkflow],
  [executionArn(machineOf('SalesRawMachine'), 'run-1'), ofReplica],
])
const definitionOf = async (execution: string) => definitions.get(execution) ?? null
const ofTable = (step: string) => executionArn(machineOf('SalesRawTableMachine'), `run-1-${executionSuffix(step)}`)

test('the machines of a workflow are named for each pipeline, replica and table that is a step', () => {
  assert.deepEqual([...machinesIn(ofWorkflow)].sort(), [
    ['rates', machineOf('RatesMachine')],
    ['sales-raw', machineOf('SalesRawMachine')],
    ['sales-raw/orders', machineOf('SalesRawTableMachine')],
  ])
  assert.deepEqual(replicasIn(ofWorkflow), ['sales-raw'])
  assert.deepEqual(startedMachinesIn(ofReplica), [machineOf('SalesRawTableMachine')])
})

test('what a run has started is found by its name: a replica first, then its tables, steps of their own or not', async () => {
  const steps = ['sales-raw/customers', 'sales-raw/orders', 'sales-raw', 'rates', 'mart']

  const started = await startedExecutions({ machine: machineOf('nightly'), run: 'run-1' }, steps, definitionOf)

  assert.deepEqual(started, [
    executionArn(machineOf('SalesRawMachine'), 'run-1'),
    executionArn(machineOf('RatesMachine'), 'run-1'),
    ofTable('sales-raw/customers'),
    ofTable('sales-raw/orders'),
  ])
})

test('what a replica has started that a person started by itself is found by its own definition', async () => {
  const started = await startedExecutions(
    { machine: machineOf('SalesRawMachine'), run: 'run-1' },
    ['sales-raw', 'sales-raw/customers'],
    definitionOf,
  )

  assert.deepEqual(started, [ofTable('sales-raw/customers')])
})

test('a run without an execution, or a replica without one, has started nothing of it', async () => {
  assert.deepEqual(
    await startedExecutions({ machine: machineOf('nightly'), run: 'run-2' }, ['rates'], definitionOf),
    [],
  )
  definitions.delete(executionArn(machineOf('SalesRawMachine'), 'run-1'))
  const steps = ['sales-raw/customers', 'rates']
  assert.deepEqual(await startedExecutions({ machine: machineOf('nightly'), run: 'run-1' }, steps, definitionOf), [
    executionArn(machineOf('RatesMachine'), 'run-1'),
  ])
})
