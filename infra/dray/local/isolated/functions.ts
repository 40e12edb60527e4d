import { urlVariable } from 'dray/internal/database/database-url.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { reachingHandlers } from '#dray-infra/aws/deployed-handlers.ts'
import { deployedWorkflows } from '#dray-infra/aws/deployed-workflows.ts'
import { environmentVariables, NODE_OPTIONS, stepVariables } from '#dray-infra/aws/handler-variables.ts'
import type { Engine } from '#dray-infra/project/environment.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { engineOfUrl, urlFromAnyFolder } from '#dray-infra/project/local-url.ts'
import { cachedBundles } from './cached-bundles.ts'
import type { IsolatedFunction } from './instance.ts'

export interface IsolatedPlaces {
  readonly stateTable: string
  readonly stagingUrl: string
  /** `<NAME>_DATABASE_URL` of each database. */
  readonly environment: NodeJS.ProcessEnv
  /** The SDK's own variables, `AWS_ENDPOINT_URL_S3` and so on. */
  readonly endpoints: Readonly<Record<string, string>>
}

/**
 * Every function of a project's state machines, bundled as for AWS into `folder`, with the variables that the stack
 * would set. Throws `Configuration` for a database without a URL.
 */
export async function isolatedFunctions(
  project: LoadedProject,
  places: IsolatedPlaces,
  folder: string,
): Promise<ReadonlyMap<string, IsolatedFunction>> {
  const handlers = [...reachingHandlers(await deployedWorkflows(project)).values()]
  const bundles = await cachedBundles(
    handlers.map(({ handler, access }) => ({
      handler,
      engines: [...new Set(access.databases.map((name) => engineOf(name, places)))],
    })),
    folder,
    project.folder,
  )
  const functions = handlers.map(({ handler, placeholder, access }): [string, IsolatedFunction] => [
    handler,
    {
      name: placeholder,
      folder: bundles.get(handler) ?? '',
      environment: {
        ...stepVariables(access, {
          ...places,
          eventBus: 'default',
          lineage: () => lineageVariables(places.environment),
          databases: (names) => Object.fromEntries(names.map((name) => [urlVariable(name), urlOf(name, places)])),
        }),
        ...environmentVariables({ name: 'isolated', retention: { metrics: 90 } }),
        NODE_OPTIONS,
        ...places.endpoints,
      },
    },
  ])
  return new Map(functions)
}

/** What the shell says to OpenLineage's clients. */
function lineageVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  const told = Object.entries(environment).filter(([name, value]) => name.startsWith('OPENLINEAGE_') && value)
  return Object.fromEntries(told) as Record<string, string>
}

function urlOf(name: string, { environment }: IsolatedPlaces): string {
  const url = environment[urlVariable(name)]
  if (url) return urlFromAnyFolder(url)
  throw new ConfigurationError(
    `The database ${name} has no URL, so the functions that work with it cannot be run; set ${urlVariable(name)}.`,
  )
}

function engineOf(name: string, places: IsolatedPlaces): Engine {
  const engine = engineOfUrl(urlOf(name, places))
  if (engine !== null) return engine
  throw new ConfigurationError(`${urlVariable(name)} is of no engine that Dray knows, so nothing was bundled.`)
}
