import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { Key } from 'aws-cdk-lib/aws-kms'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import {
  type CompiledWorkflow,
  type FunctionReference,
  toStatesLanguage,
  type Workflow,
} from '#shared/workflow/index.ts'
import { accessOf, type HandlerAccess, unionOf } from './handler-access.ts'
import { HandlerFunction } from './handler-function.ts'
import { permit, type Resources } from './handler-permissions.ts'
import { StagingBucket } from './staging-bucket.ts'
import { StateTable } from './state-table.ts'
import type { StepDatabases } from './step-databases.ts'
import { WorkflowStateMachine } from './workflow-state-machine.ts'
import { WorkflowTriggers } from './workflow-triggers.ts'

/** A workflow and the databases of its steps. */
export interface DeployedWorkflow {
  readonly workflow: Workflow
  readonly databases: ReadonlyMap<string, StepDatabases>
}

export interface DrayStackProps extends StackProps {
  /** `prod`, `staging`, …: the databases' URLs are the secrets `/dray/<environment>/<database>/url`. */
  readonly environment: string
  readonly workflows: readonly DeployedWorkflow[]
  /** How long staged batches and quarantined rows are kept; 30 days by default. */
  readonly keepStagedFor?: Duration
}

interface Handler {
  readonly reference: FunctionReference
  readonly access: HandlerAccess
}

/** Everything that the workflows need on AWS but the databases themselves. */
export class DrayStack extends Stack {
  readonly #environment: string
  readonly #resources: Resources
  readonly #secrets = new Map<string, ISecret>()

  constructor(scope: Construct, id: string, props: DrayStackProps) {
    super(scope, id, props)
    this.#environment = props.environment
    const key = new Key(this, 'Key', {
      description: 'Rows between the steps of Dray',
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    const { bucket } = new StagingBucket(this, 'Staging', { key, keepFor: props.keepStagedFor ?? Duration.days(30) })
    const { table } = new StateTable(this, 'State')
    this.#resources = { key, bucket, table, secretOf: (database) => this.#secretOf(database) }

    const compiled = props.workflows.map((deployed) => ({ ...deployed, compiled: toStatesLanguage(deployed.workflow) }))
    const functions = this.#functions(compiled)
    const functionOf = (handler: string) => functions.get(handler) as IFunction
    for (const { workflow, compiled: definition } of compiled) {
      const name = pascalCase(workflow.name)
      const { machine } = new WorkflowStateMachine(this, name, { compiled: definition, functionOf })
      new WorkflowTriggers(this, `${name}Triggers`, { workflow, machine })
    }
  }

  #functions(workflows: readonly (DeployedWorkflow & { compiled: CompiledWorkflow })[]): Map<string, IFunction> {
    const handlers = new Map<string, Handler>()
    for (const { workflow, compiled, databases } of workflows) {
      for (const reference of compiled.functions) {
        const access = accessOf(reference.handler, workflow, databases)
        const known = handlers.get(reference.handler)
        handlers.set(reference.handler, { reference, access: known ? unionOf(known.access, access) : access })
      }
    }
    return new Map([...handlers].map(([path, handler]) => [path, this.#function(handler)]))
  }

  #function({ reference, access }: Handler): IFunction {
    const { bucket, table } = this.#resources
    const secrets = access.databases.map((name) => [secretVariable(name), this.#secretOf(name).secretArn] as const)
    const { function: lambda } = new HandlerFunction(this, reference.placeholder, {
      handler: reference.handler,
      timeoutSeconds: reference.timeoutSeconds,
      environment: {
        STATE_TABLE_NAME: table.tableName,
        STAGING_URL: `s3://${bucket.bucketName}`,
        POWERTOOLS_SERVICE_NAME: 'dray',
        ...Object.fromEntries(secrets),
      },
    })
    permit(lambda, access, this.#resources)
    return lambda
  }

  #secretOf(database: string): ISecret {
    const name = `/dray/${this.#environment}/${database}/url`
    const secret = this.#secrets.get(database) ?? Secret.fromSecretNameV2(this, `${pascalCase(database)}Url`, name)
    this.#secrets.set(database, secret)
    return secret
  }
}

/** `CRM_DATABASE_URL_SECRET_ARN`: the handler reads CRM_DATABASE_URL from that secret when it starts. */
function secretVariable(database: string): string {
  return `${database.toUpperCase().replaceAll('-', '_')}_DATABASE_URL_SECRET_ARN`
}

function pascalCase(name: string): string {
  return name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
}
