import { ArnFormat, Stack, Validations } from 'aws-cdk-lib'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Key } from 'aws-cdk-lib/aws-kms'
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import type { Environment } from '#dray-infra/project/environment.ts'
import { isProduction } from '#dray-infra/project/environments.ts'
import { topicNameOf } from './names.ts'

export interface NotificationsProps {
  /** The name of the environment. */
  readonly environment: string
  readonly key: Key
  readonly settings: Environment['notify']
}

/** Where alarms and the ends of failed runs are announced: the stack's topic, or a given one. */
export class Notifications extends Construct {
  readonly topic: ITopic
  /** Whether what publishes needs the key. */
  readonly encrypted: boolean

  constructor(scope: Construct, id: string, { environment, key, settings }: NotificationsProps) {
    super(scope, id)
    this.encrypted = settings.topicArn === undefined
    if (settings.topicArn !== undefined) {
      this.topic = Topic.fromTopicArn(this, 'Topic', settings.topicArn)
      return
    }
    if (settings.emails.length === 0 && !settings.slack && !settings.webhook && isProduction(environment))
      warn(this, environment)
    const topicName = topicNameOf(environment)
    const topic = new Topic(this, 'Topic', { topicName, displayName: 'Dray', masterKey: key, enforceSSL: true })
    for (const email of settings.emails) topic.addSubscription(new EmailSubscription(email))
    key.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: ['*'],
        conditions: this.#ofAlarms(),
      }),
    )
    // A policy of one's own replaces the one that would let alarms of the account publish.
    topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: this.#ofAlarms(),
      }),
    )
    this.topic = topic
  }

  /** CloudWatch works for every account: it is let in for alarms of this one alone. */
  #ofAlarms() {
    const stack = Stack.of(this)
    const alarms = stack.formatArn({
      service: 'cloudwatch',
      resource: 'alarm',
      resourceName: '*',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
    return { StringEquals: { 'aws:SourceAccount': stack.account }, ArnLike: { 'aws:SourceArn': alarms } }
  }
}

function warn(scope: Construct, environment: string): void {
  Validations.of(scope).addWarning(
    'dray:nobody-is-notified',
    `The environment ${environment} names nobody to notify, so its alarms and failed runs are seen by those alone who look. Give ${environment} notify: { emails: ['…'] }, { slack: … }, { webhook: … } or { topicArn: '…' } in infra/environments.ts.`,
  )
}
