import { Stack } from 'aws-cdk-lib'
import {
  GatewayVpcEndpoint,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  type ISecurityGroup,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  Vpc,
} from 'aws-cdk-lib/aws-ec2'
import { AnyPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { NetworkSettings } from '#dray-infra/project/environment.ts'
import type { Reach } from './handler-access.ts'

/** Where a function runs. */
export interface NetworkPlace {
  readonly vpc: IVpc
  readonly securityGroup: ISecurityGroup
}

export interface NetworkProps {
  readonly settings: NetworkSettings
  /** Of the databases. */
  readonly ports: readonly number[]
  /** Whether a database's URL is a secret. */
  readonly needsSecrets: boolean
}

/** A given network with its subnets, as other stacks of the environment know it, too. */
export function vpcOf(scope: Construct, id: string, settings: NetworkSettings): IVpc {
  return Vpc.fromVpcAttributes(scope, id, {
    vpcId: settings.id,
    availabilityZones: settings.subnets.map(({ availabilityZone }) => availabilityZone),
    isolatedSubnetIds: settings.subnets.map((subnet) => subnet.id),
    isolatedSubnetRouteTableIds: settings.subnets.map(({ routeTable }) => routeTable),
  })
}

/**
 * A given network, as far as functions see it that work with a database, or with staged rows alone: their subnets, what
 * they may call, and how they reach AWS.
 */
export class Network extends Construct {
  readonly vpc: IVpc
  /** Let the databases' own security groups accept connections from that of `databases`. */
  readonly groups: Readonly<Record<Reach, ISecurityGroup>>

  constructor(scope: Construct, id: string, { settings, ports, needsSecrets }: NetworkProps) {
    super(scope, id)
    this.vpc = vpcOf(this, 'Vpc', settings)
    const databases = new SecurityGroup(this, 'Functions', {
      vpc: this.vpc,
      description: 'Functions of Dray that work with a database',
      allowAllOutbound: false,
    })
    const staging = new SecurityGroup(this, 'Transforms', {
      vpc: this.vpc,
      description: 'Functions of Dray that work with staged rows alone',
      allowAllOutbound: false,
    })
    staging.addEgressRule(Peer.anyIpv4(), Port.tcp(443))
    for (const port of [443, ...new Set(ports)]) databases.addEgressRule(Peer.anyIpv4(), Port.tcp(port))
    this.groups = { databases, staging }
    if (settings.gatewayEndpoints === 'create') this.#createGatewayEndpoints()
    if (settings.secretsEndpoint === 'create' && needsSecrets) this.#createSecretsEndpoint()
  }

  /** Without a charge, and instead of a NAT. */
  #createGatewayEndpoints(): void {
    for (const [id, service] of [
      ['S3', GatewayVpcEndpointAwsService.S3],
      ['DynamoDB', GatewayVpcEndpointAwsService.DYNAMODB],
    ] as const) {
      const endpoint = new GatewayVpcEndpoint(this, id, {
        vpc: this.vpc,
        service,
        subnets: [{ subnets: this.vpc.isolatedSubnets }],
      })
      endpoint.addToPolicy(this.#ownAccountAlone({ 'aws:ResourceAccount': Stack.of(this).account }))
    }
  }

  #createSecretsEndpoint(): void {
    const securityGroup = new SecurityGroup(this, 'Endpoints', {
      vpc: this.vpc,
      description: 'Endpoints that functions of Dray call',
      allowAllOutbound: false,
    })
    securityGroup.addIngressRule(this.groups.databases, Port.tcp(443))
    const endpoint = new InterfaceVpcEndpoint(this, 'SecretsManager', {
      vpc: this.vpc,
      service: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
      subnets: { subnets: this.vpc.isolatedSubnets },
      securityGroups: [securityGroup],
      open: false,
    })
    endpoint.addToPolicy(this.#ownAccountAlone({}))
  }

  /** Rows are not carried out by credentials of somebody else's, nor into somebody else's bucket or table. */
  #ownAccountAlone(resources: Readonly<Record<string, string>>): PolicyStatement {
    return new PolicyStatement({
      principals: [new AnyPrincipal()],
      actions: ['*'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:PrincipalAccount': Stack.of(this).account, ...resources } },
    })
  }
}
