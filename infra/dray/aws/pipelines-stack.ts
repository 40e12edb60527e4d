import { NestedStack, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { type CompiledPipeline, pipelineMachine } from 'dray/internal/workflow/pipeline-machine.ts'
import { functionsOfPipeline } from 'dray/internal/workflow/placeholders.ts'
import type { DeployedHandler } from './deployed-handlers.ts'
import { EnvironmentFunctions, type EnvironmentFunctionsProps } from './environment-functions.ts'
import { machineRoles } from './machine-roles.ts'
import { controlFunctionName, logGroupOf, pipelineFunctionName, pipelineMachineName } from './names.ts'
import { pascalCase } from './pascal-case.ts'
import { createStateMachine } from './state-machine.ts'

export interface PipelinesStackProps extends StackProps, EnvironmentFunctionsProps {
  /** Which of the stacks of pipelines it is, from 1. */
  readonly number: number
  readonly pipelines: readonly string[]
  readonly handlers: ReadonlyMap<string, DeployedHandler>
}

/** Some pipelines of an environment, each in a nested stack, and the functions that plan, commit and end them. */
export class PipelinesStack extends Stack {
  constructor(scope: Construct, id: string, props: PipelinesStackProps) {
    super(scope, id, props)
    const control = this.#createControl(props)
    // Apart from the functions of all: a pipeline may be called as one of these.
    const pipelines = new Construct(this, 'Pipelines')
    for (const name of props.pipelines) {
      new PipelineStack(pipelines, pascalCase(name), { ...props, machine: pipelineMachine(name), control })
    }
  }

  /** The ARNs of functions that are not a pipeline's own, by their handlers. */
  #createControl({ environment, handlers, number, ...props }: PipelinesStackProps): ReadonlyMap<string, string> {
    const functions = new EnvironmentFunctions(this, { environment, ...props })
    const logGroup = LogGroup.fromLogGroupName(this, 'Logs', logGroupOf.control(environment.name))
    const called = new Set(props.pipelines.flatMap((name) => functionsOfPipeline(name).map(({ handler }) => handler)))
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
  readonly machine: CompiledPipeline
  readonly control: ReadonlyMap<string, string>
}

/** A pipeline: its three functions and its state machine. */
class PipelineStack extends NestedStack {
  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    const { environment, machine, control, handlers, number } = props
    super(scope, id, { description: `The pipeline ${machine.name} of ${environment.name}` })
    const functions = new EnvironmentFunctions(this, props)
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName: logGroupOf.pipeline(environment.name, machine.name),
      retention: environment.retention.logs,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const arns = machine.functions.map(({ placeholder, handler }) => {
      const shared = control.get(handler)
      if (shared !== undefined) return [placeholder, shared]
      const stage = handler.replace(/^.*\/(.+)\.ts$/, '$1')
      const name = pipelineFunctionName(environment.name, machine.name, stage, number)
      const own = functions.ofState(this, pascalCase(stage), handlers.get(handler) as DeployedHandler, {
        name,
        logGroup,
      })
      return [placeholder, own.versionArn]
    })
    createStateMachine(this, 'Machine', {
      name: pipelineMachineName(environment.name, machine.name, number),
      definition: machine.definition,
      arns: Object.fromEntries(arns),
      role: functions.role(machineRoles.pipelines),
      logGroup: LogGroup.fromLogGroupName(this, 'MachineLogs', logGroupOf.machines(environment.name)),
    })
  }
}
