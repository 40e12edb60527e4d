import { NestedStack, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { functionsOfUnit, type MachineUnit } from 'dray/internal/workflow/placeholders.ts'
import { machinesOfUnit } from 'dray/internal/workflow/unit-machines.ts'
import type { DeployedHandler } from './deployed-handlers.ts'
import { EnvironmentFunctions, type EnvironmentFunctionsProps } from './environment-functions.ts'
import { machineRoles } from './machine-roles.ts'
import { controlFunctionName, logGroupOf, pipelineFunctionName, pipelineMachineName } from './names.ts'
import { pascalCase } from './pascal-case.ts'
import { createStateMachine, machineArn } from './state-machine.ts'

export interface PipelinesStackProps extends StackProps, EnvironmentFunctionsProps {
  /** Which of the stacks of pipelines it is, from 1. */
  readonly number: number
  readonly units: readonly MachineUnit[]
  readonly handlers: ReadonlyMap<string, DeployedHandler>
}

/** Some pipelines of an environment, each in a nested stack, and the functions that plan, commit and end them. */
export class PipelinesStack extends Stack {
  constructor(scope: Construct, id: string, props: PipelinesStackProps) {
    super(scope, id, props)
    const control = this.#createControl(props)
    // Apart from the functions of all: a pipeline may be called as one of these.
    const pipelines = new Construct(this, 'Pipelines')
    for (const unit of props.units) new PipelineStack(pipelines, pascalCase(unit.name), { ...props, unit, control })
  }

  /** The ARNs of functions that are not a pipeline's own, by their handlers. */
  #createControl({ environment, handlers, number, units, ...props }: PipelinesStackProps): ReadonlyMap<string, string> {
    const functions = new EnvironmentFunctions(this, { environment, ...props })
    const logGroup = LogGroup.fromLogGroupName(this, 'Logs', logGroupOf.control(environment.name))
    const called = new Set(units.flatMap((unit) => functionsOfUnit(unit).map(({ handler }) => handler)))
    const control = [...handlers.values()].filter(
      ({ handler }) => handler.startsWith('functions/dray/') && called.has(handler),
    )
    return new Map(
      control.map((handler) => {
        const name = controlFunctionName(environment.name, handler.role, number)
        // A pipeline that a person has started is a run of no workflow: there is nothing to announce.
        const quiet = { ...handler, access: { ...handler.access, announces: false } }
        const created = functions.ofState(this, pascalCase(handler.role), quiet, { name, logGroup })
        return [handler.handler, created.versionArn]
      }),
    )
  }
}

interface PipelineStackProps extends PipelinesStackProps {
  readonly unit: MachineUnit
  readonly control: ReadonlyMap<string, string>
}

/** A pipeline: its three functions and its state machine. A replica has one for all of its tables, and one for each. */
class PipelineStack extends NestedStack {
  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    const { environment, unit, control, handlers, number } = props
    super(scope, id, { description: `The ${unit.kind} ${unit.name} of ${environment.name}` })
    const functions = new EnvironmentFunctions(this, props)
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName: logGroupOf.pipeline(environment.name, unit.name),
      retention: environment.retention.logs,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const machines = machinesOfUnit(unit)
    const called = new Map(
      machines.flatMap(([, machine]) => machine.functions.map((one) => [one.placeholder, one.handler] as const)),
    )
    const arns = [...called].map(([placeholder, handler]): [string, string] => {
      const shared = control.get(handler)
      if (shared !== undefined) return [placeholder, shared]
      const stage = handler.replace(/^.*\/(.+)\.ts$/, '$1')
      const name = pipelineFunctionName(environment.name, unit.name, stage, number)
      const own = functions.ofState(this, pascalCase(stage), handlers.get(handler) as DeployedHandler, {
        name,
        logGroup,
      })
      return [placeholder, own.versionArn]
    })
    const nameOf = (machine: string) => pipelineMachineName(environment.name, machine, number)
    const ofMachines = machines.map(([placeholder, { name }]): [string, string] => [
      placeholder,
      machineArn(nameOf(name)),
    ])
    const used = (definition: object) => {
      const text = JSON.stringify(definition)
      return Object.fromEntries([...arns, ...ofMachines].filter(([placeholder]) => text.includes(`\${${placeholder}}`)))
    }
    const machineLogs = LogGroup.fromLogGroupName(this, 'MachineLogs', logGroupOf.machines(environment.name))
    for (const [, { name, definition }] of machines) {
      createStateMachine(this, name === unit.name ? 'Machine' : 'TableMachine', {
        name: nameOf(name),
        definition,
        arns: used(definition),
        role: functions.role(machineRoles.pipelines),
        logGroup: machineLogs,
      })
    }
  }
}
