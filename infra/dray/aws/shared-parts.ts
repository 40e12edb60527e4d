import { Stack } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { type ILogGroup, LogGroup } from 'aws-cdk-lib/aws-logs'
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { triggerHandlers } from './deployed-handlers.ts'
import { EnvironmentFunctions, type EnvironmentFunctionsProps, imported } from './environment-functions.ts'
import { permitFunction } from './function-roles.ts'
import { LineageAccess } from './lineage-access.ts'
import { logGroupOf, topicNameOf } from './names.ts'
import { stackOutputs } from './stack-outputs.ts'
import type { Table, TriggerFunction, TriggerFunctionProps } from './workflow-triggers.ts'

/** What a stack of workflows knows of the environment's first one. */
export class SharedParts {
  readonly functions: EnvironmentFunctions
  readonly table: Table
  readonly topic: ITopic
  readonly controlLogs: ILogGroup
  readonly #props: EnvironmentFunctionsProps
  readonly #lineage: LineageAccess

  constructor(scope: Construct, props: EnvironmentFunctionsProps) {
    const { environment } = props
    this.#props = props
    this.functions = new EnvironmentFunctions(scope, props)
    const tableName = this.functions.stateTable
    this.table = {
      tableName,
      tableArn: Stack.of(scope).formatArn({ service: 'dynamodb', resource: 'table', resourceName: tableName }),
    }
    this.topic = Topic.fromTopicArn(scope, 'Topic', environment.notify.topicArn ?? topicArn(scope, environment.name))
    this.controlLogs = LogGroup.fromLogGroupName(scope, 'ControlLogs', logGroupOf.control(environment.name))
    this.#lineage = new LineageAccess(new Construct(scope, 'JanitorLineage'), environment.lineage)
  }

  /** A function that no state machine calls, with a role that no other has. */
  createTrigger(
    scope: Construct,
    props: TriggerFunctionProps & { readonly id: string },
    name: string,
    logGroup: ILogGroup,
  ): TriggerFunction {
    const { environment } = this.#props
    const cleans = props.handler === triggerHandlers.janitor
    const role = new Role(scope, `${props.id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
    permitFunction(role, environment.name, false)
    if (cleans) this.#lineage.permit(role, true)
    if (environment.notify.topicArn === undefined && 'NOTIFICATION_TOPIC_ARN' in props.environment) {
      const key = imported(environment, stackOutputs.key)
      role.addToPrincipalPolicy(
        new PolicyStatement({ actions: ['kms:Decrypt', 'kms:GenerateDataKey'], resources: [key] }),
      )
    }
    const lineage = cleans ? this.#lineage.variablesOf(true) : {}
    const created = this.functions.create(scope, props.id, {
      ...props,
      name,
      logGroup,
      // The CDK would add to it what an event source needs, by wider actions.
      role: role.withoutPolicyUpdates(),
      environment: { ...props.environment, ...lineage },
    })
    created.function.node.addDependency(role)
    return { function: created.function, role }
  }
}

/** By its name: an output that is imported could not change while it is. */
function topicArn(scope: Construct, environment: string): string {
  return Stack.of(scope).formatArn({ service: 'sns', resource: topicNameOf(environment) })
}
