import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Environment, EnvironmentOptions } from '#dray-infra/project/environment.ts'
import { packageFolder, projectFolder } from '#dray-infra/project/project-folder.ts'

export interface ProvenFrom {
  readonly base: Environment
  /** Whether its own stacks are there. */
  readonly isDeployed: boolean
  readonly engines: { readonly source: 'postgres' | 'mysql'; readonly target: 'postgres' | 'mysql' }
}

/** What of an environment a proof has as well: where it is, and how its databases are reached. */
export function provenSettings(name: string, { base, isDeployed, engines }: ProvenFrom): EnvironmentOptions {
  const known = Object.values(base.databases)
  const authorities = known.some((one) => one.authorities === 'amazon-rds') ? 'amazon-rds' : 'public'
  const tls = known.some((one) => 'tls' in one && one.tls === 'by-url') ? 'by-url' : 'verified'
  // A route table has one gateway endpoint of a kind: where the environment has them, they are used.
  const vpc = base.vpc && {
    ...base.vpc,
    ...(isDeployed ? { gatewayEndpoints: 'exist' as const, secretsEndpoint: 'exist' as const } : {}),
  }
  return {
    ...(base.account === undefined ? {} : { account: base.account }),
    ...(base.region === undefined ? {} : { region: base.region }),
    vpc: vpc && { ...vpc, subnets: [...vpc.subnets] },
    databases: {
      'prove-source': { engine: engines.source, secret: secretOf(name, 'prove-source'), authorities, tls },
      'prove-target': { engine: engines.target, secret: secretOf(name, 'prove-target'), authorities, tls },
    },
    retention: { staged: 1, logs: 1, metrics: 1, audit: 1 },
    expected: { prove: { successWithin: '7d' } },
    tags: { ...base.tags, 'dray:proof': name },
  }
}

export function secretOf(environment: string, database: string): string {
  return `/dray/${environment}/${database}/url`
}

/** Writes the project that is deployed into a folder, beside the packages of this one. */
export async function writeProject(folder: string, name: string, settings: EnvironmentOptions): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await cp(join(import.meta.dirname, 'project'), folder, { recursive: true })
  await cp(join(projectFolder, 'functions/dray'), join(folder, 'functions/dray'), { recursive: true })
  const root = resolve(packageFolder, '../..')
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const cdk = JSON.parse(await readFile(join(root, 'cdk.json'), 'utf8'))
  // A shell reads it, and whoever named the folders above may have used a space.
  const app = 'node node_modules/dray-infra/aws/app.ts'
  await writeFile(join(folder, 'cdk.json'), JSON.stringify({ ...cdk, app }))
  await writeFile(join(folder, 'environment.json'), JSON.stringify({ [name]: settings }))
}

/** Changes the code: what the first version rejects, the second one loads. */
export async function writeSecondVersion(folder: string): Promise<void> {
  await writeFile(join(folder, 'shared/version.ts'), 'export const VERSION: number = 2\n')
}
