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
import { Construct } from 'constructs'
import type { NetworkSettings } from '#dray-infra/project/environment.ts'

export interface NetworkProps {
  readonly settings: NetworkSettings
  /** Of the databases. */
  readonly ports: readonly number[]
  /** Whether a database's URL is a secret. */
  readonly needsSecrets: boolean
}

/**
 * A given network, as far as functions with a database see it: their subnets, what they may call, and how they reach
 * AWS.
 */
export class Network extends Construct {
  readonly vpc: IVpc
  /** Let the databases' own security groups accept connections from it. */
  readonly securityGroup: ISecurityGroup

  constructor(scope: Construct, id: string, { settings, ports, needsSecrets }: NetworkProps) {
    super(scope, id)
    this.vpc = Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId: settings.id,
      availabilityZones: settings.subnets.map(({ availabilityZone }) => availabilityZone),
      isolatedSubnetIds: settings.subnets.map((subnet) => subnet.id),
      isolatedSubnetRouteTableIds: settings.subnets.map(({ routeTable }) => routeTable),
    })
    this.securityGroup = new SecurityGroup(this, 'Functions', {
      vpc: this.vpc,
      description: 'Functions of Dray that work with a database',
      allowAllOutbound: false,
    })
    for (const port of [443, ...new Set(ports)]) this.securityGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(port))
    if (settings.gatewayEndpoints === 'create') this.#createGatewayEndpoints()
    if (settings.secretsEndpoint === 'create' && needsSecrets) this.#createSecretsEndpoint()
  }

  /** Without a charge, and instead of a NAT. */
  #createGatewayEndpoints(): void {
    for (const [id, service] of [
      ['S3', GatewayVpcEndpointAwsService.S3],
      ['DynamoDB', GatewayVpcEndpointAwsService.DYNAMODB],
    ] as const) {
      new GatewayVpcEndpoint(this, id, { vpc: this.vpc, service, subnets: [{ subnets: this.vpc.isolatedSubnets }] })
    }
  }

  #createSecretsEndpoint(): void {
    const securityGroup = new SecurityGroup(this, 'Endpoints', {
      vpc: this.vpc,
      description: 'Endpoints that functions of Dray call',
      allowAllOutbound: false,
    })
    securityGroup.addIngressRule(this.securityGroup, Port.tcp(443))
    new InterfaceVpcEndpoint(this, 'SecretsManager', {
      vpc: this.vpc,
      service: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
      subnets: { subnets: this.vpc.isolatedSubnets },
      securityGroups: [securityGroup],
      open: false,
    })
  }
}
